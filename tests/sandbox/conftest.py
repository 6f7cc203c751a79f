"""A running sandbox for the tests of this folder, behind the server that `unigate sandbox` runs it with."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sandbox_client import Sandbox

from unigate.http.app import render_wire
from unigate.http.asgi import run_asgi
from unigate.http.exchange import Exchange
from unigate.http.listen import listen
from unigate.http.serving import Server
from unigate.http.tuning import new_event_loop
from unigate.sandbox.app import create
from unigate.sandbox.options import Options


class _Running:
    """A sandbox in a thread of its own, on a free port."""

    def __init__(self, options: Options) -> None:
        self._app = create(options)
        self._socket = listen("127.0.0.1", 0)[0]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()

        async def handle(x: Exchange) -> None:
            await run_asgi(self._app, x, sockets=True)

        server = Server(handle, render_wire)
        await server.start([self._socket])
        self._ready.set()
        await self._stopping.wait()
        await server.drain(0.1)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        assert self._ready.wait(10)
        self._client = Sandbox(f"http://127.0.0.1:{self._port()}")
        return self._client

    def _port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without delays that all tests of a process share; its tasks are done in no time."""
    with _Running(Options(tokens_per_second=0, task_speed=50)) as running:
        yield running


@pytest.fixture
def own_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox for one test alone; its options can be given by parametrizing indirectly."""
    with _Running(getattr(request, "param", Options(tokens_per_second=0))) as running:
        yield running
