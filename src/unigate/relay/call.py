"""Call: one caller's request while it is served, with what was found out about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from unigate.dialects import Dialect
from unigate.dialects.openai_references import Carried
from unigate.spec.caller import Key
from unigate.spec.exchange import Exchange
from unigate.spec.facts import Facts
from unigate.spec.form import Form
from unigate.spec.operation import Operation
from unigate.spec.record import Attempt
from unigate.spec.usage import Usage
from unigate.store.own_files import FileRow


class Pictures(Protocol):
    """Counts the pictures of an answer; see `chat_pictures.Counter`."""

    #: Size and quality, as far as the answer tells them.
    conditions: dict[str, str | int]

    @property
    def count(self) -> int:
        """How many there were so far."""
        ...

    def answer(self, body: bytes) -> None:
        """Count those of a whole answer."""
        ...

    def passing(self, write: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        """`write` for whole events, whose pictures are counted beside."""
        ...


_NOTHING: Mapping[str, str] = {}


@dataclass(slots=True, kw_only=True)
class NamedFiles:
    """Files of its user's that a call names."""

    #: By their ids.
    rows: Mapping[str, FileRow]
    #: Where it is being sent: our id -> the provider's, and the files that go in the body itself.
    ids: dict[str, str] = field(default_factory=dict)
    carried: dict[str, Carried] = field(default_factory=dict)
    #: Bytes by which the body grows by these, in all places together.
    growth: int = 0


class Call:
    """What the steps of the relay hand on to each other."""

    __slots__ = (
        "at",
        "attempts",
        "body",
        "dialect",
        "discount",
        "facts",
        "failed_id",
        "files",
        "form",
        "id",
        "include_cost",
        "input_tokens",
        "keep_days",
        "key",
        "marks",
        "named",
        "operation",
        "params",
        "pictures",
        "upstream_seconds",
        "usage",
        "x",
    )

    def __init__(self, x: Exchange, id: str, operation: Operation, key: Key, at: int) -> None:
        self.x = x
        self.id = id
        #: Under which its record stands where it failed; another one where it may be made again.
        self.failed_id = id
        #: Millionths that are taken off its price.
        self.discount = 0
        self.operation = operation
        self.key = key
        #: Milliseconds since 1970 at which the call was admitted; prices and windows go by it.
        self.at = at
        #: The caller's wire format; set for calls that go to a provider.
        self.dialect: Dialect
        self.params = _NOTHING
        self.body = b""
        #: The body where it is a form; `body` is empty then. Whoever read it closes it when the call has been served.
        self.form: Form | None = None
        self.facts: Facts = _NO_FACTS
        self.attempts: list[Attempt] = []
        #: Further reply headers: rate limits, what was ignored or limited.
        self.marks: list[tuple[bytes, bytes]] = []
        self.include_cost = False
        #: Days for which prompt and answer are kept, known when the reply begins; 0: they are not.
        self.keep_days = 0
        #: The most input tokens that the body can count.
        self.input_tokens = 0
        #: What was used, once known; what the rate limit counts.
        self.usage: Usage | None = None
        #: Files of its answer that were kept.
        self.files = 0
        #: The files that it names, None where it names nothing that is kept: nor does its answer then.
        self.named: NamedFiles | None = None
        #: Counts the pictures of its answer, where they are charged for.
        self.pictures: Pictures | None = None
        #: Seconds spent waiting for providers, which are not our own share.
        self.upstream_seconds = 0.0

    @property
    def asked(self) -> bytes | Form:
        """What the caller asks, as its dialect reads it."""
        return self.form or self.body


_NO_FACTS = Facts(model="")
