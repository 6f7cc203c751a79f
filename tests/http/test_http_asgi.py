"""ASGI apps on our exchanges: a framework's app, and apps that do everything wrong."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from http_kit import BOUND, chunked, get, post, until, wire
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from unigate.http.asgi import AsgiApp, Receive, Scope, Send, run_asgi
from unigate.http.exchange import Exchange


async def _echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(b"%b %b" % (request.method.encode(), await request.body()))


async def _scope(request: Request) -> JSONResponse:
    kept = ("type", "http_version", "method", "scheme", "path", "root_path")
    shown: dict[str, Any] = {name: request.scope[name] for name in kept}
    shown |= {"raw": request.scope["raw_path"].decode(), "query": request.scope["query_string"].decode()}
    shown |= {"client": request.scope["client"][0], "server": list(request.scope["server"]), "x": request.headers["x"]}
    shown |= {"state": dict(request.scope["state"])}
    return JSONResponse(shown)


async def _stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%d," % number
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


def starlette_app() -> Starlette:
    routes = [
        Route("/api/echo", _echo, methods=["GET", "POST"]),
        Route("/api/scope/{x:path}", _scope),
        Route("/api/stream", _stream),
    ]
    return Starlette(routes=routes)


def serving(app: AsgiApp, state: dict[str, Any] | None = None) -> Any:
    async def handler(x: Exchange) -> None:
        if x.path.startswith(b"/v1/"):
            x.reply(200, (), b"relay " + await x.read(100))
        else:
            await run_asgi(app, x, state)

    return handler


async def test_management_and_relay_mixed_on_one_connection() -> None:
    async with wire(serving(starlette_app())) as w:
        caller = await w.ask(
            post(b"1", url=b"/v1/chat")
            + post(b"2", url=b"/api/echo")
            + chunked([b"3", b"4"], url=b"/api/echo")
            + get(b"/api/missing")
            + post(b"5", url=b"/v1/chat")
            + get(b"/api/stream")
            + b"HEAD /api/echo HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        bodies = [(await caller.reply()).body for _ in range(5)]
        assert bodies == [b"relay 1", b"POST 2", b"POST 34", b"Not Found", b"relay 5"]
        assert (await caller.reply()).body == b"".join(b"%d," % n for n in range(100))
        head = await caller.reply(to_head=True)
        assert (head.status, head.headers[b"content-length"]) == (200, b"5")
        await caller.send(get(b"/v1/chat"))
        assert (await caller.reply()).body == b"relay "


async def test_scope() -> None:
    app = starlette_app()
    async with wire(serving(app, {"kept": "yes"})) as w:
        caller = await w.ask(get(b"/api/scope/%C3%A9%2Fb?c=%20d", b"X: y"))
        shown = await caller.reply()
        assert (
            JSONResponse(
                {
                    "type": "http",
                    "http_version": "1.1",
                    "method": "GET",
                    "scheme": "http",
                    "path": "/api/scope/é/b",
                    "root_path": "",
                    "raw": "/api/scope/%C3%A9%2Fb",
                    "query": "c=%20d",
                    "client": "127.0.0.1",
                    "server": list(w.server.addresses[0]),
                    "x": "y",
                    "state": {"kept": "yes"},
                }
            ).body
            == shown.body
        )


async def test_large_upload_to_an_app() -> None:
    async with wire(serving(starlette_app())) as w:
        caller = await w.ask(
            b"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await caller.reply()).status == 100
        sending = asyncio.ensure_future(caller.send(b"x" * 5_000_000))
        assert (await caller.reply()).body == b"POST " + b"x" * 5_000_000
        await sending


async def test_a_body_that_is_refused_while_an_app_reads_it() -> None:
    async with wire(serving(starlette_app())) as w:
        caller = await w.ask(b"POST /api/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab")
        await until(w.serving)
        await caller.send(b"cXX")
        (reply,) = await caller.replies()
        assert (reply.status, reply.headers[b"connection"]) == (400, b"close")


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sending(*messages: dict[str, Any], fail: bool = False) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if fail:
            raise ZeroDivisionError

    return app


@pytest.mark.parametrize(
    ("app", "status", "text"),
    [
        (sending(start(), body(b"abc")), 200, b"abc"),
        (sending(start(201), body(b"ab", more=True), body(b"c")), 201, b"abc"),
        (sending(start(), body(more=True), body(b"abc", more=True), body()), 200, b"abc"),
        (sending(start(200, (b"Content-Length", b"3")), body(b"ab", more=True), body(b"c")), 200, b"abc"),
        (sending(start(200, (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")), body(b"abc")), 200, b"abc"),
        (sending(start(200, (b"Connection", b"close"), (b"Date", b"never")), body(b"abc")), 200, b"abc"),
        (sending(start(204), body()), 204, b""),
        (sending(), 500, b"internal_error"),
        (sending(fail=True), 500, b"internal_error"),
        (sending(start(), fail=True), 500, b"internal_error"),
        (sending(start()), 500, b"internal_error"),
        (sending(body(b"abc")), 500, b"internal_error"),
        (sending({"type": "nonsense"}), 500, b"internal_error"),
        (sending(start(200, (b"x", b"a\r\nb: c")), body(b"abc")), 500, b"internal_error"),
    ],
)
async def test_an_app_that_ends_its_reply_or_never_begins_it(app: AsgiApp, status: int, text: bytes) -> None:
    async with wire(serving(app)) as w:
        caller = await w.ask(get(b"/x") + get(b"/v1/"))
        reply = await caller.reply()
        assert (reply.status, reply.body) == (status, text)
        assert (await caller.reply()).body == b"relay "


@pytest.mark.parametrize(
    "app",
    [
        sending(start(), body(b"abc", more=True), fail=True),
        sending(start(), body(b"abc", more=True)),
        sending(start(), body(b"abc", more=True), start()),
        sending(start(200, (b"content-length", b"5")), body(b"abc", more=True), body()),
        sending(start(200, (b"content-length", b"5")), body(b"abc")),
        sending(start(200, (b"content-length", b"3")), body(b"abc", more=True), body(b"d")),
    ],
)
async def test_an_app_that_breaks_in_the_middle_is_cut_off(app: AsgiApp) -> None:
    async with wire(serving(app)) as w:
        caller = await w.ask(get(b"/x") + get(b"/v1/"))
        reply = await caller.reply()
        assert (reply.status, reply.body) == (200, b"abc")
        length = reply.headers.get(b"content-length")
        assert not reply.complete or length == b"3"  # what was too long was not sent
        assert await caller.rest() == b""


async def test_an_app_that_hangs_up_says_nothing_at_all() -> None:
    async with wire(serving(sending({"type": "http.response.hang_up"}))) as w:
        caller = await w.ask(get(b"/x") + get(b"/v1/"))
        assert await caller.rest() == b""


async def test_an_app_hears_that_the_caller_left() -> None:
    heard: list[str] = []
    waiting = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        waiting.set()
        heard.append((await receive())["type"])
        await send(start())
        await send(body(b"late", more=True))
        await asyncio.sleep(0)  # it is not cancelled
        await send(body())
        heard.append("done")

    async with wire(serving(app)) as w:
        caller = await w.ask(post(b"abc", url=b"/x"))
        async with asyncio.timeout(BOUND):
            await waiting.wait()
        caller.close()
        await until(lambda: not w.server.state.tasks)
        assert heard == ["http.request", "http.disconnect", "done"]


async def test_a_caller_who_leaves_during_an_upload() -> None:
    raised: list[str] = []

    async def upload(request: Request) -> PlainTextResponse:
        try:
            await request.body()
        except ClientDisconnect:
            raised.append("ClientDisconnect")
            raise
        return PlainTextResponse("never")

    app = Starlette(routes=[Route("/x", upload, methods=["POST"])])
    async with wire(serving(app)) as w:
        caller = await w.ask(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await until(w.serving)
        caller.close()
        await until(lambda: not w.server.state.tasks)
        assert raised == ["ClientDisconnect"]


async def test_after_the_reply_there_is_only_the_end() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        later = asyncio.ensure_future(receive_twice(receive))
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"abc"))
        heard.extend(await later)

    async def receive_twice(receive: Receive) -> list[str]:
        return [(await receive())["type"], (await receive())["type"]]

    async with wire(serving(app)) as w:
        caller = await w.ask(get(b"/x"))
        assert (await caller.reply()).body == b"abc"
        await until(lambda: heard == ["http.request", "http.disconnect"])
