"""A worker with a mistake in it: calls of the model `explode` meet an error that nobody expected."""

import socket
from collections.abc import Callable
from unittest import mock

from unigate import server
from unigate.billing.prices import Prices, Quote
from unigate.spec.caller import Group


def failing_worker(settings: server.WorkerSettings, sock: socket.socket, ready: Callable[[], None]) -> None:
    """A worker whose prices cannot be asked for one model."""
    right = Prices.quote

    def quote(self: Prices, operation: str, model: str, group: Group, at_ms: int, discount: int = 0) -> Quote:
        if model == "explode":
            raise ZeroDivisionError("a mistake in the code")
        return right(self, operation, model, group, at_ms, discount)

    with mock.patch.object(Prices, "quote", quote):
        server.main(settings, sock, ready)
