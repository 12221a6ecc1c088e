"""The reference of the HTTP interface as Markdown, made from the OpenAPI document: python -m edgewise.serve.reference."""

import sys
from typing import Any

from edgewise.serve.gate import needed_role

_METHODS = ("get", "post", "put", "patch", "delete")

_HEAD = """# The HTTP interface

Made from the service's own OpenAPI document by `python -m edgewise.serve.reference > docs/api.md`; a running server gives that document at
`GET /openapi.json`, with the form of every answer. What the routes mean: [service.md](service.md). `role` is what a key must allow.
"""


def reference(document: dict[str, Any]) -> str:
    """Write an OpenAPI document as tables, one for each group of routes.

    Args:
        document: as `FastAPI.openapi()` gives it.
    """
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                [group, *_] = operation.get("tags") or ["other"]
                groups.setdefault(group, []).append(_row(method.upper(), path, operation, document))
    parts = [_HEAD]
    for group, rows in sorted(groups.items(), key=lambda pair: (pair[0] != "v1", pair[0])):
        parts += [f"## {group}\n", "| route | role | parameters | |", "|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _row(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    role = needed_role(method, path.replace("{", "").replace("}", "")).name.lower()
    asked = [_parameter(part) for part in operation.get("parameters", ()) if part["in"] == "query"]
    asked += _body(operation.get("requestBody"), document)
    text = " ".join(operation.get("description", operation.get("summary", "")).split("\n\n")[0].split())
    return f"| `{method} {path}` | {role} | {', '.join(asked)} | {text} |"


def _parameter(part: dict[str, Any]) -> str:
    schema = part.get("schema", {})
    default = schema.get("default")
    return f"`{part['name']}`" + ("" if default in (None, "") else f" = {default}")


def _body(body: dict[str, Any] | None, document: dict[str, Any]) -> list[str]:
    if body is None:
        return []
    schema = body["content"].get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    names = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
    return [f"body: {names}" if names else f"body: {schema.get('description', 'JSON')}"]


def own_document() -> dict[str, Any]:
    """Return the OpenAPI document of this version, without a model."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from edgewise.serve.app import create_app
    from edgewise.serve.keys import Keys
    from edgewise.serve.service import Service
    from edgewise.serve.settings import ServiceConfig
    from edgewise.store import StoreFolder

    with TemporaryDirectory() as name:
        folder = StoreFolder.open(Path(name) / "store")
        events = folder.events()
        service = Service(events, folder.models)
        gate: Any = create_app(ServiceConfig(), service, Keys())  # around the direct routes, around the app
        document: dict[str, Any] = gate.app.app.openapi()
        service.close()
        events.close()
    return document


if __name__ == "__main__":
    sys.stdout.write(reference(own_document()))
