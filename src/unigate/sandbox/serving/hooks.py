"""`/sandbox/hooks/{name}`: a receiver of callbacks that keeps what it gets, and answers as it is told to.

POST    keeps it; ?fail=N answers 500 to the first N, ?redirect=URL answers 302, ?status=N that
GET     what came, oldest first; with ?secret= the verdict on its signature (Standard Webhooks, or X-Webhook-Signature)
DELETE  forgets it

What comes below a name (`/sandbox/hooks/{name}/...`) is kept too, by any method: so Bark and Gotify call.
"""

import base64
import binascii
import hmac
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unigate.base import clock
from unigate.sandbox.serving.answer import encode

#: Names that are kept, deliveries that one keeps, and bytes of a body that are kept.
_NAMES = 200
_DELIVERIES = 500
_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came once."""

    at: int
    method: str
    #: Behind the receiver's name, with the query as it came.
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    #: What was answered.
    status: int

    def shown(self, secret: str | None) -> dict[str, Any]:
        """It as JSON data."""
        body: Any
        try:
            body = msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = None
        return {
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "headers": [list(header) for header in self.headers],
            "body": body,
            "text": self.body.decode("utf-8", "replace"),
            "status": self.status,
            "signature": None if secret is None else verdict(dict(self.headers), self.body, secret),
        }


def verdict(headers: dict[str, str], body: bytes, secret: str) -> str:
    """`valid`, `invalid`, or `missing`, after https://www.standardwebhooks.com; the timestamp's age does not count.

    Where there is a plain HMAC of the body (`x-webhook-signature`, in hex), that one counts.
    """
    if (plain := headers.get("x-webhook-signature")) is not None:
        wanted = hmac.digest(secret.encode(), body, "sha256").hex()
        return "valid" if hmac.compare_digest(wanted.encode(), plain.encode("utf-8", "replace")) else "invalid"
    id, at, given = (headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not (id and at and given):
        return "missing"
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return "invalid"
    digest = hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")
    good = b"v1," + base64.b64encode(digest)
    fits = any(hmac.compare_digest(good, one.encode("utf-8", "replace")) for one in given.split(" "))
    return "valid" if fits else "invalid"


class Received:
    """What came under each name; bounded, the name that was quiet longest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, deque[Delivery]] = OrderedDict()
        self._counts: dict[str, int] = {}

    def clear(self) -> None:
        """Forget all names."""
        self._kept.clear()
        self._counts.clear()

    def count(self, name: str) -> int:
        """The number of the next delivery under a name, from 1."""
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    def keep(self, name: str, delivery: Delivery) -> None:
        """Keep what came."""
        self._kept.setdefault(name, deque(maxlen=_DELIVERIES)).append(delivery)
        self._kept.move_to_end(name)
        if len(self._kept) > _NAMES:
            self.forget(next(iter(self._kept)))

    def of(self, name: str) -> list[Delivery]:
        """What came, oldest first."""
        return list(self._kept.get(name, ()))

    def forget(self, name: str) -> None:
        """As if nothing had come."""
        self._kept.pop(name, None)
        self._counts.pop(name, None)


def routes(received: Received) -> list[Route]:
    """The routes of the receiver."""

    async def hook(request: Request) -> Response:
        """Keep, show or forget what came under a name."""
        name = request.path_params["name"]
        if request.method == "GET":
            secret = request.query_params.get("secret")
            return _json({"data": [delivery.shown(secret) for delivery in received.of(name)]})
        if request.method == "DELETE":
            received.forget(name)
            return _json({"cleared": True})
        return await below(request)

    async def below(request: Request) -> Response:
        """Keep what came under a name."""
        name = request.path_params["name"]
        try:
            answer = _answer(request, received.count(name))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        delivery = Delivery(
            at=clock.now_ms(),
            method=request.method,
            path=_path(request),
            headers=request.headers.items(),
            body=(await request.body())[:_BODY],
            status=answer.status_code,
        )
        received.keep(name, delivery)
        return answer

    return [
        Route("/sandbox/hooks/{name}", hook, methods=["GET", "POST", "PUT", "DELETE"]),
        Route("/sandbox/hooks/{name}/{rest:path}", below, methods=["GET", "POST", "PUT"]),
    ]


def _path(request: Request) -> str:
    rest, query = request.path_params.get("rest"), request.url.query
    return ("" if rest is None else f"/{rest}") + (f"?{query}" if query else "")


def _answer(request: Request, number: int) -> Response:
    query = request.query_params
    if number <= int(query.get("fail", 0)):
        return _json({"error": "asked to fail"}, 500)
    if "redirect" in query:
        return Response(status_code=302, headers={"location": query["redirect"]})
    return _json({"received": number}, int(query.get("status", 200)))


def _json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
