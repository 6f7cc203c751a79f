"""A gateway's own HTTP server with the management API on a real database, and callers of every kind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from unigate.access.keys import Keys
from unigate.access.limits import Limits
from unigate.base import ids
from unigate.base.clock import monotonic_ns, now_ms
from unigate.billing.bank import Bank
from unigate.billing.prices import Prices
from unigate.dialects import operations
from unigate.http import system
from unigate.http.api import app as api_app
from unigate.http.app import Gateway, render_wire
from unigate.http.listen import listen
from unigate.http.serving import Server
from unigate.http.table import Table
from unigate.manage import kept, keys, users
from unigate.manage.desk import Desk
from unigate.manage.keys import KeyForm
from unigate.manage.sessions import PREFIX, SessionTerms, digest
from unigate.providers import catalogue
from unigate.relay.bindings import Bindings
from unigate.relay.keeping import Keeper
from unigate.relay.metrics import Metrics
from unigate.relay.services import Services
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Router
from unigate.store import sessions as session_rows
from unigate.store.database import Database
from unigate.store.sessions import SessionRow
from unigate.tasks.sending import LIMITS
from unigate.upstream import Client

SECRET = "api-secret-api-secret"
HOUR = 3_600_000


@dataclass
class Worker:
    """What a worker knows: everything real, nothing started that would serve calls."""

    services: Services
    allow_private: bool = True
    letters: Client = field(default_factory=lambda: Client(LIMITS))
    ready: dict[str, str | None] = field(default_factory=lambda: {"store": None})

    async def readiness(self) -> dict[str, str | None]:
        return self.ready

    def counters(self) -> Metrics:
        return self.services.metrics

    def health(self) -> Mapping[str, object] | None:
        return None


@dataclass
class Api:
    """The running API."""

    url: str
    desk: Desk
    worker: Worker
    app: Any
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A caller with these headers on each request."""
        self.clients.append(httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30))
        return self.clients[-1]

    async def user(self, name: str, role: str = "user", **more: Any) -> str:
        """A user; their id."""
        return (await users.create_user(self.desk, name, role=role, **more)).id

    async def session(self, user_id: str, *, expires_in: int = HOUR) -> str:
        """A token of a user, without the work that a password is."""
        token, now = PREFIX + ids.new("t"), now_ms()
        row = SessionRow(
            id=ids.new("sid"),
            digest=digest(token),
            user_id=user_id,
            created_at=now,
            expires_at=now + expires_in,
            used_at=now,
            address="127.0.0.1",
            agent="a test",
        )
        async with self.desk.db.writing() as tx:
            await session_rows.add(tx, row)
        return token

    async def key(self, user: str, *scopes: str, **more: Any) -> str:
        """A key of a user; its secret."""
        _, secret = await keys.create_key(self.desk, user, ids.new("k"), KeyForm(scopes=scopes, **more))
        return secret

    async def someone(self, role: str = "user", name: str | None = None) -> "Someone":
        """A new user who is signed in."""
        name = name or ids.new(role)
        user_id = await self.user(name, role)
        token = await self.session(user_id)
        return Someone(id=user_id, name=name, token=token, client=self.client(authorization=f"Bearer {token}"))


@dataclass
class Someone:
    """A user and a caller with their session."""

    id: str
    name: str
    token: str
    client: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def patch(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.patch(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path)


@asynccontextmanager
async def serving(db: Database, folder: Path, terms: SessionTerms | None = None) -> AsyncIterator[Api]:
    """The API on a free port of this loop."""
    desk = Desk(db=db, secret=SECRET, providers=catalogue())
    client = Client()
    services = Services(
        keys=Keys(db, SECRET),
        limits=Limits(monotonic_ns),
        router=Router(),
        prices=Prices(()),
        bank=Bank(db, folder / "journal", "node_test", alarm=lambda _what, _detail: None),
        upstreams=Upstreams(client, allow_private=True),
        bindings=Bindings(db),
        models={},
        metrics=Metrics(),
        keeper=Keeper(partial(kept.save, db)),
    )
    worker = Worker(services)
    app = api_app.create(desk, worker, terms)
    server = Server(Gateway(Table(operations()), services, app, system.is_management), render_wire)
    await server.start(listen("127.0.0.1", 0))
    host, port = server.addresses[0]
    running = Api(f"http://{host}:{port}", desk, worker, app)
    try:
        yield running
    finally:
        for caller in running.clients:
            await caller.aclose()
        await server.drain(1.0)
        await client.close()
        await worker.letters.close()


def refused(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error object of a reply, once it is as all errors of this API are."""
    assert reply.status_code == status, (reply.status_code, reply.text)
    error: dict[str, Any] = reply.json()["error"]
    assert error["code"] == code, error
    assert {"message", "type", "param", "code"} <= error.keys() <= {"message", "type", "param", "code", "fields"}
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json"
    return error


def fields(reply: httpx.Response) -> set[str]:
    """Names of the fields that a reply says are wrong."""
    error = refused(reply, 400, "invalid_request")
    names = [told["name"] for told in error["fields"]]
    assert error["param"] == (names[0] or None)
    return set(names)
