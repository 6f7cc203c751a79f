"""Faults: how a base URL or a marker in the prompt says what shall go wrong.

A spec is a list of parts joined by commas, each `name` or `name:value`: `429,retry-after:7`, `cut-after:3`,
`500,first:2`. A number is a status with the vendor's own body. Conditions (`after:`, `first:`, ...) say for which
calls; all of them must hold. docs/sandbox.md lists all; `ACTIONS` and `CONDITIONS` are that list as data.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

#: name -> what it does. A value is a number; in brackets the one that holds without it.
ACTIONS: Mapping[str, str] = {
    "retry-after": "the Retry-After of an error status, as text (seconds; `off`: none)",
    "retry-after-date": "Retry-After as a date, so many seconds from now [5]",
    "html": "an error status, or a plain answer, with a page of HTML in place of the vendor's body",
    "slow-first-byte": "wait so many seconds before the head of the answer [1]",
    "slow": "wait so many seconds before each event of a stream [0.1]",
    "hang": "never answer",
    "hang-after": "say nothing more after so many events [1] (a plain answer: after its first half)",
    "cut-after": "break the connection after so many events [1] (a plain answer: after its first half)",
    "malformed-chunk": "break the JSON of this event, counted from 1 [1] (a plain answer: of its body)",
    "error-event": "after so many events [1] send the vendor's error inside the stream and end it",
    "missing-usage": "leave out all usage",
    "missing-finish": "leave out the events that tell why the answer ended",
    "missing-end": "leave out the end marker of the stream ([DONE])",
    "empty": "a well-formed answer without any content",
    "empty-body": "status 200 and no byte of a body",
    "oversize": "swell the answer by so many MiB [32]",
    "wrong-type": "content-type text/html on an otherwise good answer",
    "accept-and-hang-up": "a task is accepted, then the connection breaks without an answer",
    "slow-submit": "a task is accepted, its answer comes so many seconds later [5]",
    "fail-at": "a task fails at this percentage [50], with the vendor's own words",
    "stuck": "a task never comes further than this percentage [50]",
    "vanish": "a task is accepted, and unknown to all who ask after it",
    "poll-429": "the first N [1] who ask after a task are answered 429",
    "poll-garbage": "the first N [1] who ask after a task are answered garbage",
}
#: name -> when it holds.
CONDITIONS: Mapping[str, str] = {
    "after": "the first N calls go well",
    "first": "only the first N calls fail",
    "every": "only each N-th call fails",
    "flaky": "this share (0..1) of calls fails, evenly spread: with 0.5 each second one",
    "key": "only calls whose credential contains this text",
    "model": "only calls whose body contains this text as the model",
    "only": "only `stream` calls, or only `plain` ones",
    "tag": "counts on its own: two specs that differ in it share no counter",
}
_DEFAULTS = {
    "retry-after-date": 5.0,
    "slow-first-byte": 1.0,
    "slow": 0.1,
    "hang-after": 1.0,
    "cut-after": 1.0,
    "malformed-chunk": 1.0,
    "error-event": 1.0,
    "oversize": 32.0,
    "slow-submit": 5.0,
    "fail-at": 50.0,
    "stuck": 50.0,
    "poll-429": 1.0,
    "poll-garbage": 1.0,
}
_COUNTING = ("after", "first", "every", "flaky")
_NUMBERS = frozenset(_DEFAULTS) | frozenset(_COUNTING)
_TEXTS = frozenset({"retry-after", "key", "model", "only", "tag"})
_MARKER = re.compile(rb"\[\[fault:([^\]\\\"]{1,200})\]\]")
_LARGEST = 1_000_000
_STATUS = re.compile(r"[45]\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one call; empty: nothing."""

    text: str = ""
    status: int | None = None
    #: The vendor's code that the error shall carry, None: the usual one of the status.
    code: str | None = None
    retry_after: str | None = None
    actions: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)

    def get(self, action: str) -> float | None:
        """The value of an action, None where it is not asked for."""
        return self.actions.get(action)

    def __contains__(self, action: str) -> bool:
        return action in self.actions

    def __or__(self, other: "Fault") -> "Fault":
        """Both; where they disagree `other` wins."""
        if not other.text:
            return self
        return Fault(
            text=f"{self.text} {other.text}".strip(),
            status=other.status or self.status,
            code=other.code if other.status else self.code,
            retry_after=other.retry_after or self.retry_after,
            actions={**self.actions, **other.actions},
        )


NONE = Fault()


def parse(text: str) -> Fault:
    """Read a spec; ValueError, naming the part, where it is not understood."""
    status: int | None = None
    code: str | None = None
    texts: dict[str, str] = {}
    actions: dict[str, float] = {}
    for part in text.split(","):
        name, colon, value = part.strip().partition(":")
        if _STATUS.fullmatch(name):
            status, code = int(name), value or None
        elif name in _TEXTS:
            if not value:
                raise ValueError(f"fault {name!r} needs a value")
            texts[name] = value
        elif name in _COUNTING:
            _number(part, value)
            texts[name] = value
        elif name in ACTIONS:
            if colon and name not in _NUMBERS:
                raise ValueError(f"fault {name!r} takes no value")
            actions[name] = _number(part, value) if colon else _DEFAULTS.get(name, 0.0)
        else:
            raise ValueError(f"no fault is called {part.strip()!r}")
    if texts.get("only", "stream") not in ("stream", "plain"):
        raise ValueError("fault 'only' is `only:stream` or `only:plain`")
    retry_after = texts.pop("retry-after", None)
    return Fault(text=text, status=status, code=code, retry_after=retry_after, actions=actions, conditions=texts)


def marked(body: bytes) -> str | None:
    """The spec of the last `[[fault:SPEC]]` in a body, whatever its format."""
    found = _MARKER.findall(body)
    return found[-1].decode("latin-1") if found else None


class Counter:
    """Counts calls per spec, for the conditions that depend on it; bounded."""

    def __init__(self, limit: int = 10_000) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._limit = limit

    def clear(self) -> None:
        """Forget all counts."""
        self._counts.clear()

    def active(self, fault: Fault, *, credential: str, model: str, stream: bool) -> bool:
        """Whether a fault applies to this call; counts the call if its other conditions hold."""
        when = fault.conditions
        if when.get("key", "") not in credential or when.get("model", "") not in model:
            return False
        if "only" in when and (when["only"] == "stream") is not stream:
            return False
        counting = [(name, float(when[name])) for name in _COUNTING if name in when]
        if not counting:
            return True
        number = self._counts.pop(fault.text, 0) + 1
        self._counts[fault.text] = number
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)
        return all(_holds(name, value, number) for name, value in counting)


def _holds(name: str, value: float, number: int) -> bool:
    match name:
        case "after":
            return number > value
        case "first":
            return number <= value
        case "every":
            return value > 0 and number % max(1, round(value)) == 0
        case _:
            return int(number * value) > int((number - 1) * value)


def _number(part: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"fault {part.strip()!r} needs a number") from None
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"fault {part.strip()!r}: the number is out of range")
    return number
