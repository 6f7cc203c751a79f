"""Idle connections of one endpoint: last in, first out, so that the freshest is used and the others may end."""

from unigate.upstream.connection import Connection


class Pool:
    """Connections that wait for a request."""

    __slots__ = ("_bound", "give", "idle")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        #: The freshest last.
        self.idle: list[Connection] = []
        #: Keep a connection whose answer is complete.
        self.give = self.idle.append

    def take(self, now: float) -> Connection | None:
        """The freshest connection that is alive as far as can be told, or None."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if connection.usable(now):
                return connection
            connection.abort()
        return None

    def sweep(self) -> None:
        """Forget what has ended, and close the stalest where there are too many."""
        idle = self.idle
        idle[:] = [connection for connection in idle if not connection.closed]
        for connection in idle[: -self._bound]:
            connection.abort()
        del idle[: -self._bound]
