"""Answers that are bytes, such as sound: they pass as they come, and are counted."""

from collections.abc import Callable

from unigate.spec.facts import Facts
from unigate.spec.form import Source
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage


class RawWatch:
    """One such answer. Only its framing tells its end, so a break is told to the caller by nothing but a break."""

    def __init__(self, facts: Facts, provider: Provider, content_type: bytes) -> None:
        self.facts = facts
        self.provider = provider
        self.content_type = content_type
        #: Bytes that went to the caller.
        self.size = 0
        self.content = self.done = self.finished = False
        self.error: bytes | None = None
        self.usage: Usage | None = None
        self.output_tokens = 0
        self.service_tier: str | None = None
        self.ending = b""
        #: See `RawWatcher`.
        self.measure: Callable[[Source], Usage | None] | None = None

    @property
    def empty(self) -> bool:
        """Nothing was sent."""
        return not self.size

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now: all."""
        self.size += len(piece)
        self.content = True
        return piece

    def finish(self) -> bytes:
        """What is left at a clean end: nothing."""
        self.finished = True
        return b""
