"""The sandbox's own endpoints: what it received (the oracle of tests), counters, and an index. Not part of any vendor.

GET    /sandbox            what there is: faces with their base URLs, faults
GET    /sandbox/requests   the log, oldest first; ?after=NUMBER &limit=N &contains=TEXT
                           &face= &model= &path= &credential= &fault= &status= &end=
GET    /sandbox/counters   counters since the last clearing
DELETE /sandbox/requests   clears log and counters
DELETE /sandbox            clears everything: also counts of faults, prefix cache, accounts, jobs, files, callbacks and mails

Files, the receiver of callbacks and the mail server are in modules of their own.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unigate.sandbox.serving import faults, files, hooks, mail
from unigate.sandbox.serving.answer import encode
from unigate.sandbox.serving.face import Face
from unigate.sandbox.serving.log import Entry
from unigate.sandbox.serving.world import World

_MARKERS = ("fault:SPEC", "pace:TOKENS_PER_SECOND", "tokens:N", "reply:TEXT", "refuse", "speed:N")
Reply = Callable[[Request], Coroutine[Any, Any, Response]]


def routes(world: World, faces: tuple[Face, ...]) -> list[Route]:
    """Routes of the control endpoints."""

    async def index(request: Request) -> Response:
        """Show what there is, or clear everything."""
        if request.method == "DELETE":
            world.clear()
            return _json({"cleared": True})
        base = str(request.base_url).rstrip("/")
        return _json(_index(base, faces))

    async def requests(request: Request) -> Response:
        """Show the log, or clear it."""
        if request.method == "DELETE":
            world.log.clear()
            return _json({"cleared": True})
        try:
            found = _selected(world, dict(request.query_params))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json({"data": [entry.shown() for entry in found]})

    async def counters(_request: Request) -> Response:
        """Show the counters."""
        return _json(world.log.counters())

    return [
        Route("/", index, methods=["GET"]),
        Route("/sandbox", index, methods=["GET", "DELETE"]),
        Route("/sandbox/requests", requests, methods=["GET", "DELETE"]),
        Route("/sandbox/counters", counters, methods=["GET"]),
        *files.routes(world),
        *hooks.routes(world.hooks),
        *mail.routes(world.mails),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


def _index(base: str, faces: tuple[Face, ...]) -> dict[str, object]:
    return {
        "faces": [
            {
                "name": face.name,
                "title": face.title,
                "base_url": f"{base}/{face.name}{face.base}",
                "base_url_with_fault": f"{base}/fault/SPEC/{face.name}{face.base}",
                "operations": [f"{route.method} {route.path}" for route in face.routes],
            }
            for face in faces
        ],
        "fault_actions": {"400..599[:code]": "this status with the vendor's own body", **faults.ACTIONS},
        "fault_conditions": dict(faults.CONDITIONS),
        "markers": [f"[[{marker}]]" for marker in _MARKERS],
    }


def _selected(world: World, query: dict[str, str]) -> list[Entry]:
    """Entries that fit the query; ValueError where it is not understood."""
    after, limit = int(query.pop("after", 0)), int(query.pop("limit", 0))
    contains = query.pop("contains", "").encode()
    unknown = query.keys() - {"face", "model", "end", "status", "credential", "path", "fault"}
    if unknown:
        raise ValueError(f"no such filter: {', '.join(sorted(unknown))}")
    found = [
        entry
        for entry in world.log.entries()
        if entry.number > after
        and contains in entry.body
        and all(str(getattr(entry, name)) == value for name, value in query.items())
    ]
    return found[-limit:] if limit else found
