"""How often a provider is asked after a task: fast at first, slower later, and never more often than it allows.

Must not know how it is asked.
"""

from collections.abc import Callable

from unigate.base.clock import monotonic
from unigate.spec.task import Pace

#: A failure makes the next look later, twice as late each time, up to so many times the longest interval.
_LONGEST_FAILURE = 8
_MOST_DOUBLINGS = 16


def interval(pace: Pace, polls: int, scale: float = 1.0) -> float:
    """Seconds until a task is asked after again that was asked after so often."""
    if pace.growth <= 1.0:
        return pace.first * scale
    seconds = pace.first
    for _ in range(polls):
        if seconds >= pace.longest:
            break
        seconds *= pace.growth
    return min(seconds, pace.longest) * scale


def after_failure(pace: Pace, errors: int, scale: float = 1.0) -> float:
    """Seconds until a task is asked after again when asking has failed so often in a row, at least once."""
    seconds = max(pace.first, 1.0) * 2.0 ** min(errors, _MOST_DOUBLINGS)
    return min(seconds, pace.longest * _LONGEST_FAILURE) * scale


def after_change(polls: int) -> int:
    """How often it counts as asked after once something has changed: a little faster again."""
    return polls * 2 // 3


class Rates:
    """Requests per second by name: each gets the moment at which it may go."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        #: When the next request of a name may go.
        self._next: dict[str, float] = {}

    def wait(self, name: str, rate: float) -> float:
        """Book one request; seconds until it may go. `rate` 0: at once, unless silence was asked for."""
        now = self._clock()
        at = max(self._next.get(name, now), now)
        if rate > 0:
            self._next[name] = at + 1.0 / rate
        return at - now

    def full(self, name: str, seconds: float) -> bool:
        """Whether a request would have to wait for longer than so many seconds."""
        return self._next.get(name, 0.0) - self._clock() > seconds

    def hold(self, name: str, seconds: float) -> None:
        """The provider asked for silence."""
        self._next[name] = max(self._next.get(name, 0.0), self._clock() + seconds)
