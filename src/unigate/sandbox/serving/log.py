"""The log of what the sandbox received and how it ended: the oracle of the gateway's tests. Bounded."""

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from unigate.sandbox.options import Options

End = Literal["open", "completed", "cut", "caller_left", "failed"]

_SECRET = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)
#: Shorter secrets are not shown at all.
_LONG = 12
#: Different names that a counter keeps before it stops adding new ones.
_NAMES = 10_000


def masked(value: str) -> str:
    """A secret as it may be shown: its scheme, its first three and last four characters."""
    scheme, space, secret = value.rpartition(" ")
    shown = f"{secret[:3]}…{secret[-4:]}" if len(secret) >= _LONG else "…"
    return f"{scheme}{space}{shown}"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request."""

    number: int
    at: int
    face: str
    method: str
    path: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    body: bytes = b""
    body_bytes: int = 0
    credential: str = ""
    #: The credential itself, for reading by the process only; never shown.
    secret: str = ""
    model: str = ""
    stream: bool = False
    fault: str = ""
    status: int = 0
    end: End = "open"
    #: What the answer consumed in full, whether or not all of it could be sent.
    usage: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    #: Output tokens that went out in events.
    sent_tokens: int = 0
    sent_bytes: int = 0
    #: Whether the log still has it.
    kept: bool = False
    #: The vendor's id of the request, as in the answer's header.
    request_id: str = ""

    def shown(self) -> dict[str, Any]:
        """The entry as JSON data, secrets masked."""
        body: Any
        try:
            body = msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = self.body.decode("utf-8", "replace")
        return {
            **{name: getattr(self, name) for name in _SHOWN},
            "headers": [[n, masked(v) if _SECRET.search(n) else v] for n, v in self.headers],
            "query": {n: masked(v) if _SECRET.search(n) else v for n, v in self.query.items()},
            "body": body,
            "body_truncated": len(self.body) < self.body_bytes,
        }


_SHOWN = [
    "number",
    "at",
    "face",
    "method",
    "path",
    "body_bytes",
    "credential",
    "model",
    "stream",
    "fault",
    "status",
    "end",
    "usage",
    "events",
    "sent_tokens",
    "sent_bytes",
    "request_id",
]


class Log:
    """The latest requests, and counters of all since the last clearing."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._number = 0
        self._counts: OrderedDict[str, Counter[str]] = OrderedDict()
        self.clear()

    def clear(self) -> None:
        """Forget entries and counters; numbers go on."""
        for entry in self._entries:
            entry.kept = False
        self._entries.clear()
        self._bytes = 0
        self._counts = OrderedDict((k, Counter()) for k in ("face", "status", "end", "model", "credential", "usage"))
        self._counts["requests"] = Counter()

    def next_number(self) -> int:
        """A number for the next request."""
        self._number += 1
        return self._number

    def open(self, entry: Entry) -> None:
        """Keep a request whose head has just come in."""
        entry.kept = True
        self._entries.append(entry)
        self._count("requests", "received")
        self._trim()

    def read(self, entry: Entry, body: bytes) -> None:
        """Add a request's body, as far as it is kept."""
        entry.body_bytes = len(body)
        if not entry.kept:
            return
        entry.body = body[: self._options.keep_body]
        self._bytes += len(entry.body)
        self._trim()

    def _trim(self) -> None:
        """Drop the oldest beyond the limits."""
        entries, options = self._entries, self._options
        while entries and (len(entries) > options.keep_requests or self._bytes > options.keep_bytes):
            oldest = entries.popleft()
            self._bytes -= len(oldest.body)
            oldest.kept = False

    def close(self, entry: Entry) -> None:
        """Count a request that has ended."""
        for name in ("face", "end", "model", "credential"):
            self._count(name, getattr(entry, name))
        self._count("status", str(entry.status))
        for unit, amount in entry.usage.items():
            self._count("usage", unit, amount)
        self._count("requests", "ended")

    def _count(self, counter: str, name: str, amount: int = 1) -> None:
        counts = self._counts[counter]
        if name and (name in counts or len(counts) < _NAMES):
            counts[name] += amount

    def counters(self) -> dict[str, dict[str, int]]:
        """All counters by kind and name."""
        return {kind: dict(counts) for kind, counts in self._counts.items()}

    def entries(self) -> Iterable[Entry]:
        """What is kept, oldest first."""
        return tuple(self._entries)
