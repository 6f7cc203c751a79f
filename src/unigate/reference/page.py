"""The nouns of the reference: a page is a dialect's part of it, an entry describes one operation of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from unigate.reference.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call that works as it stands, given a channel for its model."""

    title: str
    body: Mapping[str, object] | None = None
    #: Values of the path's places and of query parameters.
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an operation takes and gives."""

    #: The name of the row in the table.
    operation: str
    title: str
    about: str
    #: None: the answer is always a stream.
    answer: Schema | None = None
    #: An answer as it may look; the schema holds for it.
    shown: Mapping[str, object] | Sequence[object] = field(default_factory=dict)
    request: Schema | None = None
    #: Data of one event, where the answer may be a stream, what the stream looks like, and data that is no JSON.
    event: Schema | None = None
    stream: str = ""
    ends: str = ""
    examples: Sequence[Example] = ()
    #: Places of the path and query parameters by name.
    places: Mapping[str, Schema] = field(default_factory=dict)
    query: Mapping[str, Schema] = field(default_factory=dict)
    #: Headers of the request that have a meaning here.
    headers: Mapping[str, Schema] = field(default_factory=dict)
    #: Status of a good answer; with 204 it has no body.
    status: int = 200
    #: Media types of request and answer.
    request_type: str = "application/json"
    answer_type: str = "application/json"
    #: Further media types of good answers, each with its schema.
    also: Mapping[str, Schema] = field(default_factory=dict)
    #: Data of events is plain text where it is not JSON.
    event_text: bool = False
    #: Statuses of errors beside those that follow from the row.
    fails: Sequence[int] = ()
    #: Further forms that errors of a status may have, and when.
    fails_as: Mapping[int, tuple[str, Schema]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One dialect: its entries and the schemas that they refer to."""

    title: str
    about: str
    entries: Sequence[Entry]
    schemas: Mapping[str, Schema]
    #: Name of the schema that its errors have.
    error: str = "Error"
    #: Their media type.
    error_type: str = "application/json"
    #: Name of the schema that refusals of providers have, which pass through.
    refusal: str = "ProviderError"
