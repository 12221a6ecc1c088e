"""The OpenAPI document as the service really behaves: how it refuses, and which keys it wants."""

from typing import Any

from fastapi import FastAPI

from edgewise.serve.gate import is_open

_ERROR = {
    "type": "object",
    "title": "Error",
    "required": ["error", "request_id"],
    "properties": {
        "error": {"type": "string", "description": "What is wrong, and what to do."},
        "request_id": {"type": "string", "description": "As in the header X-Request-Id, and in the log."},
    },
}
_REFUSED = {
    "description": "400: cannot be read; 401, 403: the key; 404: not there; 408, 413, 429: too slow, too large, too many; 422: cannot be done; "
    "503: later, see Retry-After.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_KEYS = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


class App(FastAPI):
    """FastAPI, with a document of its own."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if not self.openapi_schema:
            _told(super().openapi())
        return super().openapi()


def _told(document: dict[str, Any]) -> None:
    """Put right what FastAPI takes for granted: errors of a form of its own, and no keys."""
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = _ERROR
    parts["securitySchemes"] = _KEYS
    document["security"] = [{name: []} for name in _KEYS]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if path == "/api/health/ready":
                operation["responses"]["503"] = {"description": "Not yet."}
            operation["responses"]["default"] = _REFUSED
            if is_open(path):
                operation["security"] = []
