"""Server: accepts connections on sockets that it is given, and drains them.

It must not know what is served, nor where the sockets come from (`listen.py`).
"""

import asyncio
import socket
from collections.abc import Iterable

from unigate.base.clock import monotonic
from unigate.http.protocol import Connection
from unigate.http.state import Handler, Limits, RenderError, ServerState
from unigate.http.timers import PERIOD, Sweep

#: Seconds between two looks whether draining is done.
_LOOK = 0.02


class Server:
    """An HTTP/1.1 server in the running event loop. Every request becomes an exchange for `handler`."""

    def __init__(
        self, handler: Handler, render_error: RenderError, limits: Limits | None = None, *, sweep_period: float = PERIOD
    ) -> None:
        loop = asyncio.get_running_loop()
        self.state = ServerState(loop, handler, render_error, limits or Limits())
        self._sweep = Sweep(loop, self.state.connections, self._renew, sweep_period)
        self._listeners: list[asyncio.Server] = []

    async def start(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these listening sockets, which are ours from now on."""
        state = self.state
        for sock in sockets:
            self._listeners.append(await state.loop.create_server(lambda: Connection(state), sock=sock, backlog=2048))
        self._sweep.start()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each listening socket."""
        names = [sock.getsockname() for listener in self._listeners for sock in listener.sockets]
        return [(name[0], name[1]) for name in names]

    async def drain(self, seconds: float) -> bool:
        """Stop: accept nothing more, close what is idle, let calls in flight end; False where `seconds` cut some off.

        Each reply says `connection: close` from now on. Handlers that are cut off are cancelled and waited for.
        """
        state = self.state
        state.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in list(state.connections):
            connection.retire()
        end = monotonic() + seconds
        while (state.connections or state.tasks) and monotonic() < end:  # noqa: ASYNC110  # once in a process's life
            await asyncio.sleep(_LOOK)
        clean = not (state.connections or state.tasks)
        for task in list(state.tasks):
            task.cancel()
        if state.tasks:
            await asyncio.wait(list(state.tasks), timeout=1.0)
        end = monotonic() + 1.0
        while state.connections and monotonic() < end:
            for connection in list(state.connections):
                connection.drop()
            await asyncio.sleep(0)  # the transports tell of their end in the turns that follow
        self._sweep.stop()
        return clean

    def _renew(self, now: float) -> None:
        self.state.tick = now
        self.state.heads.renew()
