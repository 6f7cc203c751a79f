"""The sandbox as an ASGI app.

A face is mounted at `/<name>` and, with faults for all its calls, at `/fault/<spec>/<name>`.
"""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from unigate.sandbox.options import Options
from unigate.sandbox.serving import control
from unigate.sandbox.serving.answer import Answer, VendorError
from unigate.sandbox.serving.endpoint import Endpoint
from unigate.sandbox.serving.face import Call, Face, Handler, faces
from unigate.sandbox.serving.mail import Mails
from unigate.sandbox.serving.socket import SocketEndpoint
from unigate.sandbox.serving.world import World


def create(options: Options, mails: Mails | None = None) -> Starlette:
    """A sandbox with a state of its own; `mails`: what its mail server keeps."""
    world = World(options)
    world.mails = mails or world.mails
    found = faces()
    routes: list[BaseRoute] = [*control.routes(world, found)]
    at_root: list[BaseRoute] = []
    for face in found:
        router = _router(face, world)
        routes += [Mount(f"/{face.name}", app=router), Mount(f"/fault/{{fault}}/{face.name}", app=router)]
        if face.at_root:
            at_root += [Mount("/fault/{fault}", app=router), Mount("", app=router)]
    return Starlette(routes=[*routes, *at_root])


def _router(face: Face, world: World) -> Router:
    """All routes of a face; what it does not know is answered as the vendor would."""
    known = [Route(r.path, Endpoint(face, r.handler, world), methods=[r.method]) for r in face.routes]
    wrong_method = Endpoint(face, _refusing(face.wrong_method), world)
    paths = dict.fromkeys(route.path for route in face.routes)
    talks = [WebSocketRoute(path, SocketEndpoint(face, talk, world)) for path, talk in face.talks]
    return Router(
        routes=[*known, *talks, *(Route(path, wrong_method) for path in paths)],
        default=_without_sockets(Endpoint(face, _refusing(face.no_route), world)),
        redirect_slashes=False,
    )


def _without_sockets(app: ASGIApp) -> ASGIApp:
    """The app; a WebSocket at an unknown path is refused."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        await app(scope, receive, send)

    return serve


def _refusing(told: Callable[[str, str], VendorError]) -> Handler:
    async def refuse(call: Call) -> Answer:
        """Answer a path or method that the vendor does not have."""
        raise told(call.method, call.path)

    return refuse
