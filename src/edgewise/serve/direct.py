"""The routes that are asked most, answered without the framework's way to them, which takes twice as long as their answer."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import signature

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class Direct:
    """Answers the routes that read their request themselves, and hands everything else on.

    The function of such a route takes the request and nothing else, and returns a response; FastAPI knows it for its document.

    Args:
        app: what answers everything else.
        routers: where the routes are.
        handlers: make an answer of an error, by its class; other errors go on to whoever called.
    """

    def __init__(
        self, app: ASGIApp, routers: list[APIRouter], handlers: Mapping[type[Exception], ErrorHandler]
    ) -> None:
        self.app, self.handlers = app, handlers
        self.routes = [
            route
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and list(signature(route.endpoint).parameters) == ["request"]
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "http":
            for route in self.routes:
                if scope["method"] in (route.methods or ()) and (match := route.path_regex.match(scope["path"])):
                    scope.update(route=route, path_params=match.groupdict())
                    response = await self._answered(route, Request(scope, receive))
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _answered(self, route: APIRoute, request: Request) -> Response:
        try:
            found: Response = await route.endpoint(request)
        except tuple(self.handlers) as error:
            handler = next(self.handlers[kind] for kind in type(error).__mro__ if kind in self.handlers)
            return await handler(request, error)
        return found
