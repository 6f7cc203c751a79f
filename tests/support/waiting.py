"""Waiting for a state instead of for a time."""

import asyncio
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "the awaited state") -> None:
    """Return once the condition holds; AssertionError when it doesn't within the bound."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.01)


async def until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "the awaited state") -> None:
    """The same in an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        await asyncio.sleep(0.01)
