"""Waiting for a state instead of for a time.

Each look takes work from whoever brings the state about, so that they follow less and less closely.
"""

import asyncio
import time
from collections.abc import Callable, Iterator


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "the awaited state") -> None:
    """Return once the condition holds; AssertionError when it doesn't within the bound."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        if condition():
            return
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(pause)


async def until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "the awaited state") -> None:
    """The same in an event loop."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        if condition():
            return
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        await asyncio.sleep(pause)


def _pauses() -> Iterator[float]:
    """Seconds between looks: a fifth more each time, up to a tenth of a second."""
    pause = 0.005
    while True:
        yield pause
        pause = min(pause * 1.2, 0.1)
