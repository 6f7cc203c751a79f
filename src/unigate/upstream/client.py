"""Client: sends requests to vendors over pooled connections. Retries only what can't have been read by anybody else.

Nothing here creates a task or a timer for a request: deadlines are numbers that one sweep looks at.
"""

import asyncio

from unigate.base.errors import TookTooLong, Unreachable, UpstreamError
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream.answer import Answer
from unigate.upstream.connect import Connector
from unigate.upstream.connection import Connection
from unigate.upstream.endpoint import Endpoint
from unigate.upstream.head import Head
from unigate.upstream.limits import ClientLimits
from unigate.upstream.outgoing import Outgoing
from unigate.upstream.pool import Pool
from unigate.upstream.resolve import Lookup, Resolver
from unigate.upstream.tls import Contexts

#: Pools that are kept; a configuration has far fewer.
KEPT_POOLS = 2_000
#: How long `close` waits for transports to end.
_CLOSE_SECONDS = 5.0
_PROXY_AUTHENTICATION = 407


class _Target:
    """What belongs to a pair of request and endpoint. Holds them, so that their identities stay theirs."""

    __slots__ = ("endpoint", "head", "pool", "request")

    def __init__(self, endpoint: Endpoint, request: Request, head: Head, pool: Pool) -> None:
        self.endpoint = endpoint
        self.request = request
        self.head = head
        self.pool = pool


class Client:
    """An HTTP/1.1 client for one event loop; make it where that loop runs."""

    def __init__(
        self, limits: ClientLimits | None = None, *, ca_file: str | None = None, lookup: Lookup | None = None
    ) -> None:
        """`ca_file`: certificates to trust in place of the system's. `lookup`: resolves names in place of the system."""
        self._limits = limits or ClientLimits()
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._resolver = Resolver(self._limits.dns_seconds, lookup, at_once=self._limits.lookups)
        self._connector = Connector(self._limits, self._resolver, Contexts(ca_file))
        self._targets: dict[int, _Target] = {}
        self._pools: dict[Endpoint, Pool] = {}
        self._connections: set[Connection] = set()
        self._connecting = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    async def send(
        self,
        endpoint: Endpoint,
        request: Request,
        body: bytes | Outgoing,
        timeouts: Timeouts,
        *,
        may_repeat: bool = True,
        fresh: bool = False,
        once: bool = False,
    ) -> Answer:
        """Send a request and wait for the head of its answer.

        A body in pieces names its content type, which `request` then does not; it is begun anew where it is sent once more.
        An answer that refuses it ends its writing.

        Raises Unreachable (no connection, or it ended before a byte of an answer came), TookTooLong, BadAnswer. Where
        a connection from the pool turns out to be dead, the request is sent once more on a fresh one, unless
        `may_repeat` is false: the vendor may have read it. Cancelling closes the connection. `fresh`: on no connection
        from the pool, so that an error's `sent` is never true only because such a one had just ended. `once`: the
        request will not come again, so that nothing of it is kept.
        """
        started = sent = self._now()
        target = self._targets.get(id(request))
        if target is None or target.request is not request or target.endpoint is not endpoint:
            target = self._target(endpoint, request, keep=not once)
        connection = None if fresh else target.pool.take(started)
        reused = connection is not None
        while True:
            if connection is None:
                connection = await self._connect(endpoint, target.pool, timeouts, started)
                sent = self._now()
            answer = connection.exchange(target.head, body, timeouts, started, sent)
            answer.reused = reused
            waiter = answer.waiter
            if waiter is not None:
                try:
                    await waiter
                except asyncio.CancelledError:
                    answer.abort()
                    raise
            if answer.status:
                if answer.status == _PROXY_AUTHENTICATION and target.head.absolute:
                    answer.abort()
                    raise _unsent(Unreachable(detail="the proxy wants other credentials"))
                return answer
            if not (answer.end == "unanswered" and reused and may_repeat):
                assert answer.error is not None
                raise answer.error
            connection, reused = None, False

    async def close(self) -> None:
        """Close all connections; answers still coming are broken off. Nothing can be sent afterwards."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._resolver.close()
        self._pools.clear()
        self._targets.clear()
        if self._connections:
            for connection in tuple(self._connections):
                connection.close()
            self._emptied = self._loop.create_future()
            await asyncio.wait([self._emptied], timeout=_CLOSE_SECONDS)

    @property
    def connector(self) -> Connector:
        """What opens connections, for those that carry no requests of this client."""
        return self._connector

    @property
    def open_connections(self) -> int:
        """Connections that are busy or idle at the moment."""
        return len(self._connections)

    @property
    def idle_connections(self) -> int:
        """Connections that wait for a request."""
        return sum(not c.closed for pool in self._pools.values() for c in pool.idle)

    def _target(self, endpoint: Endpoint, request: Request, *, keep: bool) -> _Target:
        """Make what a pair needs, and mostly keep it."""
        head = Head(endpoint, request)
        pool = self._pools.get(endpoint)
        if pool is None:
            if len(self._pools) >= KEPT_POOLS:
                self._pools = {where: kept for where, kept in self._pools.items() if kept.idle}
                self._targets.clear()
            pool = self._pools[endpoint] = Pool(self._limits.idle_connections)
        target = _Target(endpoint, request, head, pool)
        if keep:
            if len(self._targets) >= self._limits.kept_heads:
                self._targets.clear()
            self._targets[id(request)] = target
        return target

    async def _connect(self, endpoint: Endpoint, pool: Pool, timeouts: Timeouts, started: float) -> Connection:
        """A fresh connection within the time allowed for it; the errors say that nothing was sent."""
        try:
            return await self._connected(endpoint, pool, timeouts, started)
        except UpstreamError as error:
            raise _unsent(error) from None

    async def _connected(self, endpoint: Endpoint, pool: Pool, timeouts: Timeouts, started: float) -> Connection:
        if self._closed:
            raise Unreachable(detail="the client is closed")
        if len(self._connections) + self._connecting >= self._limits.connections:
            raise Unreachable(detail=f"{self._limits.connections} connections are open already")
        where = f"{endpoint.host}:{endpoint.port}"
        self._connecting += 1
        try:
            async with asyncio.timeout(min(timeouts.connect, started + timeouts.total - self._now())) as scope:
                connection = await self._connector.open(
                    endpoint, lambda: Connection(self._loop, self._limits, pool.give, self._ended)
                )
        except TimeoutError as error:
            if not scope.expired():
                raise Unreachable(detail=f"{where}: {error}") from None
            raise TookTooLong(detail=f"no connection to {where} within {timeouts.connect:g} s") from None
        except (OSError, RuntimeError, ValueError) as error:  # uvloop raises RuntimeError for sockets that just closed
            raise Unreachable(detail=f"{where}: {error}") from None
        finally:
            self._connecting -= 1
        if self._closed or connection.closed:
            connection.abort()
            raise Unreachable(detail=f"{where}: the connection ended at once")
        self._connections.add(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._limits.sweep_seconds, self._sweep)
        return connection

    def _ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)

    def _sweep(self) -> None:
        """Look at all deadlines; again later, as long as there are connections."""
        self._sweeper = None
        now = self._now()
        for connection in tuple(self._connections):
            connection.check(now)
        for pool in self._pools.values():
            pool.sweep()
        if self._connections:
            self._sweeper = self._loop.call_later(self._limits.sweep_seconds, self._sweep)


def _unsent(error: UpstreamError) -> UpstreamError:
    """The error of a request of which no byte was sent."""
    error.sent = False
    return error
