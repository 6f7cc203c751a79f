"""Attempts: how often somebody may fail to prove who they are, for each address and each name that was tried.

Counted in memory of one process: with several workers the bounds hold for each. A try counts from its beginning, so that
many at once get no further than one after the other; a good one is taken back.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from unigate.base.errors import BadRequest, InvalidKey, TooMany

#: Keys remembered; the one that failed least recently leaves first.
_REMEMBERED = 20_000
#: Of IPv6 a caller has at least this many bits of network to themselves.
_NETWORK = 64


class Attempts:
    """Buckets of failures that empty steadily."""

    def __init__(
        self, clock: Callable[[], float], *, by_address: int = 50, by_name: int = 10, seconds: float = 900.0
    ) -> None:
        """So many failures of one address, and for one name, in so many seconds; `clock` in seconds."""
        self._clock = clock
        self._seconds = seconds
        self._most = {"address": by_address, "name": by_name}
        #: (kind, whose) -> failures that still count, and when that was so.
        self._failures: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    @contextmanager
    def attempt(self, address: str, name: str) -> Iterator[None]:
        """One try: an InvalidKey or BadRequest that leaves the block is a failure. TooMany where there were enough."""
        keys = (("address", _place(address)), ("name", name.lower()))
        now = self._clock()
        wait = max(self._wait(key, now) for key in keys)
        if wait > 0:
            raise TooMany("Too many failed attempts: try again later.", retry_after=wait)
        for key in keys:
            self._add(key, 1, now)
        try:
            yield
        except (InvalidKey, BadRequest):
            raise
        except BaseException:
            self._forgive(keys)  # it was not judged
            raise
        self._forgive(keys)

    def _forgive(self, keys: tuple[tuple[str, str], ...]) -> None:
        for key in keys:
            self._add(key, -1, self._clock())

    def _wait(self, key: tuple[str, str], now: float) -> float:
        """Seconds until another may be made."""
        most = self._most[key[0]]
        return max(0.0, (self._left(key, now) + 1 - most) * self._seconds / most)

    def _left(self, key: tuple[str, str], now: float) -> float:
        count, at = self._failures.get(key, (0.0, now))
        return max(0.0, count - (now - at) * self._most[key[0]] / self._seconds)

    def _add(self, key: tuple[str, str], count: int, now: float) -> None:
        left = max(0.0, self._left(key, now) + count)
        if not left:
            self._failures.pop(key, None)
            return
        self._failures[key] = (left, now)
        self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)


def _place(address: str) -> str:
    """The address, or the network of it that one caller has."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - _NETWORK))
    return str(found)
