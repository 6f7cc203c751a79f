"""The sweep: one timer for all limits of time, in place of a timer per request.

A deadline is an attribute; setting it costs nothing. What is due is found by looking at everything alive every half
second (a thousand connections: some 20 microseconds), so limits are kept to within that.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from unigate.base.clock import monotonic
from unigate.http.state import Timed

log = logging.getLogger(__name__)

#: Seconds between two looks.
PERIOD = 0.5


class Sweep:
    """Calls `expire` of everything whose deadline has passed, and `each` at every look."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        alive: Collection[Timed],
        each: Callable[[float], None],
        period: float = PERIOD,
    ) -> None:
        self._loop = loop
        self._alive = alive
        self._each = each
        self._period = period
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = self._loop.call_later(self._period, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._period, self._look)
        now = monotonic()
        self._each(now)
        for one in [one for one in self._alive if one.deadline <= now or one.write_deadline <= now]:
            try:
                one.expire(now)
            except Exception:  # one that fails must not keep the others alive for ever
                log.exception("a deadline could not be handled")
