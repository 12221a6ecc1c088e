"""The page at /: files of this package, kept in memory, that ask nothing of any other place."""

import hashlib
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from edgewise.errors import UnknownNameError

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""No script and no style but those of the package, no frame around it, nothing sent elsewhere; asked for anew each time, by ETag."""


def page_routes() -> APIRouter:
    """Make the routes of the page."""
    page = APIRouter(include_in_schema=False)
    known: dict[str, tuple[bytes, str, str]] = {}
    for file in (files("edgewise.serve") / "page").iterdir():
        kind = _TYPES.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            known[file.name] = (body, kind, f'"{hashlib.sha256(body).hexdigest()[:20]}"')

    def answer(request: Request, name: str) -> Response:
        if name not in known:
            raise UnknownNameError("the page has no such file.")
        body, kind, etag = known[name]
        headers = {**HEADERS, "ETag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(body, 200, headers, kind)

    @page.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        """Return the page."""
        return answer(request, "index.html")

    @page.api_route("/page/{name}", methods=["GET", "HEAD"])
    async def part(request: Request, name: str) -> Response:
        """Return a script, a style sheet or a picture of the page."""
        return answer(request, name)

    @page.api_route("/favicon.ico", methods=["GET", "HEAD"])
    async def icon(request: Request) -> Response:
        """Return the picture that browsers ask for."""
        return answer(request, "icon.svg")

    return page
