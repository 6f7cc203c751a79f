"""What a face answers with: a plan that is sent (and spoiled by faults) elsewhere.

Handlers never write to the connection. They return a Whole or a Stream, or raise a VendorError.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

#: A JSON object as it goes over the wire.
Object = dict[str, Any]
Headers = tuple[tuple[str, str], ...]
#: What an event of a stream is for; faults drop or spoil events by it.
Part = Literal["opening", "content", "finish", "usage", "end"]

_ENCODER = msgspec.json.Encoder()


def encode(value: object, indent: int = 0) -> bytes:
    """JSON as bytes, compact, or indented as some vendors do."""
    data = _ENCODER.encode(value)
    return msgspec.json.format(data, indent=indent) if indent else data


class VendorError(Exception):
    """A vendor refuses a call. How that looks on the wire is the face's business."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after: str | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        #: OpenAI's `type`.
        self.kind = kind
        self.param = param
        self.code = code
        #: The value of the header, None where the vendor sends none.
        self.retry_after = retry_after
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer in one piece; `bytes` go out as they are, anything else as JSON."""

    payload: object
    status: int = 200
    headers: Headers = ()
    media_type: str = "application/json"
    #: Spaces of indentation of JSON, 0: compact.
    indent: int = 0
    #: What was consumed, for the log: unit -> number.
    usage: Mapping[str, int] = field(default_factory=dict)
    #: Output tokens, for calls that ask for a pace.
    tokens: int = 0
    model: str = ""
    #: Tokens per second that this call asks for, None: not at all.
    pace: float | None = None

    def encoded(self) -> bytes:
        """The body."""
        return self.payload if isinstance(self.payload, bytes) else encode(self.payload, self.indent)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. A `str` goes out as it is (`[DONE]`), an object as JSON, None as a comment."""

    data: Object | str | None
    part: Part = "content"
    #: Output tokens in it, for the pace.
    tokens: int = 0
    #: The event's name (`event:`), or the comment's text.
    name: str = ""
    #: Its id (`id:`), for vendors that give one.
    id: str = ""
    #: Bytes of an answer that is no stream of events, in place of all others.
    raw: bytes = b""

    def encoded(self) -> bytes:
        """The event with the empty line that ends it."""
        if self.raw:
            return self.raw
        if self.data is None:
            return b": " + self.name.encode() + b"\n\n"
        data = (
            _ENCODER.encode(self.data) if isinstance(self.data, dict) else self.data.replace("\n", "\ndata: ").encode()
        )
        head = b"event: " + self.name.encode() + b"\n" if self.name else b""
        if self.id:
            head += b"id: " + self.id.encode() + b"\n"
        return head + b"data: " + data + b"\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer in server-sent events."""

    #: Asynchronous where they come about while they are sent.
    events: Iterator[Event] | AsyncIterator[Event]
    headers: Headers = ()
    media_type: str = "text/event-stream; charset=utf-8"
    usage: Mapping[str, int] = field(default_factory=dict)
    model: str = ""
    pace: float | None = None
    #: An error in the middle of this stream, where it is not the face's usual form.
    error: Callable[[VendorError, int], Event] | None = None


Answer = Whole | Stream


class Spoiled(Exception):
    """A fault answers in place of the vendor, with this."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("spoiled by a fault")
        self.answer = answer
