"""Counters of one process: plain dictionaries, so that counting costs next to nothing; rendered when asked."""

from collections.abc import Mapping

from unigate.spec.record import Record

#: Upper bounds in seconds of the histograms' buckets.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Series:
    """The figures of one operation, model, channel and way of ending."""

    __slots__ = ("buckets", "calls", "cost", "estimated", "own_us", "total_us", "units")

    def __init__(self) -> None:
        self.calls = 0
        self.cost = 0
        self.estimated = 0
        self.own_us = 0
        self.total_us = 0
        self.units: dict[str, int] = {}
        self.buckets = [0] * (len(BUCKETS) + 1)


class Metrics:
    """What this process counted since it started."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str, str], Series] = {}
        #: Refused before any provider was asked: code -> count.
        self.refused: dict[str, int] = {}
        #: Failed tries: (channel, code) -> count.
        self.attempts: dict[tuple[str, str], int] = {}
        self.limiter_down = 0
        #: Calls that were to be kept and are not, since too much waited to be written.
        self.kept_dropped = 0

    def ended(self, record: Record, channel: str = "") -> None:
        """Count a call that ended; `channel`: the name of the one that served it."""
        name = (record.operation, record.model, channel, record.end)
        series = self.calls.get(name)
        if series is None:
            series = self.calls[name] = Series()
        series.calls += 1
        series.cost += record.cost
        series.own_us += record.own_us
        series.total_us += record.total_us
        series.estimated += record.estimated
        units = series.units
        for unit, count in record.units.items():
            units[unit] = units.get(unit, 0) + count
        seconds = record.total_us / 1_000_000
        at = 0
        for bound in BUCKETS:
            if seconds <= bound:
                break
            at += 1
        series.buckets[at] += 1

    def refuse(self, code: str) -> None:
        """Count a call that was refused before any provider was asked."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def failed(self, channel: str, code: str) -> None:
        """Count a failed try."""
        name = (channel, code)
        self.attempts[name] = self.attempts.get(name, 0) + 1

    def export(self) -> dict[str, object]:
        """Everything as plain structures, to be merged with other processes'."""
        return {
            "calls": [
                [*name, s.calls, s.cost, s.estimated, s.own_us, s.total_us, s.units, s.buckets]
                for name, s in self.calls.items()
            ],
            "refused": self.refused,
            "attempts": [[*name, count] for name, count in self.attempts.items()],
            "limiter_down": self.limiter_down,
            "kept_dropped": self.kept_dropped,
        }

    def merge(self, other: Mapping[str, object]) -> None:
        """Add another process's `export()` to these figures."""
        for row in _rows(other.get("calls")):
            operation, model, channel, end, *figures = row
            self._merge_series((operation, model, channel, end), figures)
        for channel, code, count in _rows(other.get("attempts")):
            self.attempts[channel, code] = self.attempts.get((channel, code), 0) + count
        refused = other.get("refused")
        if isinstance(refused, Mapping):
            for code, count in refused.items():
                self.refused[code] = self.refused.get(code, 0) + count
        down = other.get("limiter_down")
        self.limiter_down += down if isinstance(down, int) else 0
        dropped = other.get("kept_dropped")
        self.kept_dropped += dropped if isinstance(dropped, int) else 0

    def _merge_series(self, name: tuple[str, str, str, str], figures: list) -> None:  # type: ignore[type-arg]
        calls, cost, estimated, own_us, total_us, units, buckets = figures
        series = self.calls.setdefault(name, Series())
        series.calls += calls
        series.cost += cost
        series.estimated += estimated
        series.own_us += own_us
        series.total_us += total_us
        for unit, count in units.items():
            series.units[unit] = series.units.get(unit, 0) + count
        series.buckets = [a + b for a, b in zip(series.buckets, buckets, strict=True)]


def _rows(value: object) -> list:  # type: ignore[type-arg]
    return value if isinstance(value, list) else []
