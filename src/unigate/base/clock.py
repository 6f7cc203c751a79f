"""The only place that asks what time it is."""

import time
from datetime import UTC, datetime

monotonic = time.monotonic
#: Spans and moments on a clock; money is never in one.
Seconds = float
#: Before anything that these clocks say.
LONG_AGO: Seconds = 0.0
monotonic_ns = time.monotonic_ns


def now_ms() -> int:
    """Wall clock in milliseconds since 1970, UTC. For records and windows, never for deciding who is dead."""
    return time.time_ns() // 1_000_000


def boot_seconds() -> float:
    """A clock that also counts while the machine is suspended (Linux), else the monotonic clock."""
    return time.clock_gettime(_BOOT)


def utc(ms: int) -> datetime:
    """`ms` since 1970 as an aware datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(ms: int) -> str:
    """Milliseconds since 1970 as `2026-01-31T12:00:00.000Z`."""
    return utc(ms).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def boot_seconds_after(ms: int) -> float:
    """What `boot_seconds` will say in so many milliseconds."""
    return boot_seconds() + ms / 1000


_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
