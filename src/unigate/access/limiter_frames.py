"""What workers and the limiter say to each other: msgpack arrays, each behind four bytes of its length.

A frame is bounded, and whatever is longer or not of these shapes ends the connection.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from unigate.access.limits import Standing

#: Bytes of one frame's content at most; key ids are short.
MAX_FRAME: Final = 1024
_HEAD: Final = 4
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Hello(msgspec.Struct, array_like=True, tag="hello", forbid_unknown_fields=True):
    """Answered with number 0 at once: the limiter works."""


class Take(msgspec.Struct, array_like=True, tag="take", forbid_unknown_fields=True, gc=False):
    """May a call of this key go ahead? Numbers are the connection's own and above 0."""

    number: Count
    key: Name
    rpm: Count
    tpm: Count
    concurrency: Count
    tokens: Count


class Resume(msgspec.Struct, array_like=True, tag="resume", forbid_unknown_fields=True, gc=False):
    """A call is on its way that an earlier connection, or the worker itself, admitted. Not answered."""

    number: Count
    key: Name
    rpm: Count
    tpm: Count
    concurrency: Count
    tokens: Count


class Done(msgspec.Struct, array_like=True, tag="done", forbid_unknown_fields=True, gc=False):
    """The call has ended and used so many tokens. Not answered."""

    number: Count
    tokens: Count


class Used(msgspec.Struct, array_like=True, tag="used", forbid_unknown_fields=True, gc=False):
    """The call goes on and has used so many tokens beside its estimate. Not answered."""

    number: Count
    tokens: Count


requests: Final = msgspec.msgpack.Decoder(Hello | Take | Resume | Done | Used)
answers: Final[msgspec.msgpack.Decoder[tuple[Count, Standing]]] = msgspec.msgpack.Decoder(tuple[Count, Standing])
_encode = msgspec.msgpack.Encoder().encode


def frame(message: Hello | Take | Resume | Done | Used | tuple[int, Standing]) -> bytes:
    """A message as it goes on the wire."""
    content = _encode(message)
    return len(content).to_bytes(_HEAD, "big") + content


class Frames:
    """Takes frames out of what a socket brings, however it is cut."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents of all frames that are complete; ValueError for one that is too long."""
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= _HEAD:
            length = int.from_bytes(data[at : at + _HEAD], "big")
            if length > MAX_FRAME:
                raise ValueError("a frame of the limiter is too long")
            after = at + _HEAD + length
            if after > end:
                break
            yield data[at + _HEAD : after]
            at = after
        self._rest = data[at:]
