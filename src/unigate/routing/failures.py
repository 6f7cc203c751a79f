"""The failure table: what each failure of a provider means for the call, the credential, the channel and the caller.

It is data and stands here only. Rows are looked at in order and the first that fits holds. How long something is
parked is bounded by the row, whatever a vendor's `Retry-After` says. Nothing that leaves this module names a secret
or a vendor's words; a provider's trouble with our credential is never shown as the caller's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from unigate.base.errors import (
    BadAnswer,
    GatewayError,
    NoChannel,
    StreamBroken,
    TookTooLong,
    TooMany,
    Unreachable,
    UpstreamError,
    UpstreamRefused,
)

#: What a failure says in the end, when nothing else is left to try.
Kind = Literal["network", "bad_answer", "time", "server", "rate", "credential", "caller"]
#: What may be tried next: another credential of the channel first, another channel only, nothing.
Next = Literal["credential", "channel", "nothing"]

#: Code of a BadAnswer raised for an answer that held nothing.
EMPTY = "empty_answer"
#: A vendor's `Retry-After` beyond this is taken as this; seconds.
LONGEST_RETRY_AFTER = 3600.0
#: An error's body is read as far as this to find the vendor's code.
_READ = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: which failures it is about, and what follows. Times in seconds."""

    name: str
    kind: Kind
    errors: tuple[type[UpstreamError], ...] = (UpstreamRefused,)
    #: Upstream statuses, for UpstreamRefused; empty: all of them.
    statuses: frozenset[int] = frozenset()
    #: Codes: the vendor's `error.code` or `error.type`, or our own of the exception; empty: all.
    codes: frozenset[str] = frozenset()
    next: Next = "nothing"
    #: Counts against the channel: its error rate, and its parking after several in a row.
    blames: bool = False
    parks: Literal["nothing", "credential", "channel"] = "nothing"
    #: How long it is parked at first; doubled with each further failure, up to `longest`.
    #: 0: parked only where the vendor says for how long.
    pause: float = 0.0
    longest: float = 60.0
    #: The vendor's Retry-After, up to `heeds` seconds, replaces the pause.
    heeds: float = 0.0
    #: After the pause one call at a time tries it, until one worked; else it is simply free again.
    gated: bool = False
    #: A jittered pause precedes the next try.
    backoff: bool = False
    #: The vendor's answer goes to the caller, in the caller's dialect.
    passes_through: bool = False


_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


def _credential(name: str, *statuses: int, codes: frozenset[str] = frozenset()) -> Row:
    """A credential that the vendor refuses: it is parked for long, the channel's others are not."""
    return Row(
        name=name,
        kind="credential",
        statuses=frozenset(statuses),
        codes=codes,
        next="credential",
        parks="credential",
        pause=60.0,
        longest=3600.0,
        gated=True,
    )


TABLE: tuple[Row, ...] = (
    Row(name="unreachable", kind="network", errors=(Unreachable,), next="channel", blames=True, backoff=True),
    Row(name="timeout", kind="time", errors=(TookTooLong,), next="channel", blames=True, backoff=True),
    # Nothing was wrong with the connection, so the next try need not wait.
    Row(
        name="empty_answer",
        kind="bad_answer",
        errors=(BadAnswer,),
        codes=frozenset({EMPTY}),
        next="channel",
        blames=True,
    ),
    Row(name="bad_answer", kind="bad_answer", errors=(BadAnswer,), next="channel", blames=True, backoff=True),
    # Tried again only while nothing went out (`delivered`).
    Row(name="broken_off", kind="network", errors=(StreamBroken,), next="channel", blames=True, backoff=True),
    # The account has no money left: some vendors say so with 429 or 400.
    _credential("no_quota", 400, 403, 429, codes=_QUOTA_CODES),
    _credential("credential_refused", 401),
    _credential("payment_required", 402),
    _credential("forbidden", 403),
    Row(
        name="rate_limited",
        kind="rate",
        statuses=frozenset({429}),
        next="credential",
        parks="credential",
        pause=1.0,
        longest=60.0,
        heeds=LONGEST_RETRY_AFTER,
    ),
    # The vendor gave up waiting for us, or its own gateway for it: as good as a timeout of ours.
    Row(
        name="upstream_timeout", kind="time", statuses=frozenset({408, 504}), next="channel", blames=True, backoff=True
    ),
    # Our way out asks for a password: the operator's matter, and not to be shown to the caller.
    Row(name="proxy_refused", kind="network", statuses=frozenset({407}), next="channel", blames=True),
    # Overloaded: parked only where the vendor says for how long.
    Row(
        name="overloaded",
        kind="server",
        statuses=frozenset({503, 529}),
        next="channel",
        blames=True,
        parks="channel",
        heeds=60.0,
        backoff=True,
    ),
    Row(
        name="server_error",
        kind="server",
        statuses=frozenset(range(500, 600)),
        next="channel",
        blames=True,
        backoff=True,
    ),
    # The caller's own mistake, 409 too: what it conflicts with is the caller's.
    Row(name="rejected", kind="caller", statuses=frozenset(range(400, 500)), passes_through=True),
    # Redirects are not followed, and other statuses mean nothing here.
    Row(name="odd_status", kind="bad_answer", next="channel", blames=True),
    Row(name="other", kind="server", errors=(UpstreamError,), next="channel", blames=True, backoff=True),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from one failure of one call."""

    row: Row
    #: Whether a further candidate of this call may be tried.
    try_next: bool
    #: Seconds to wait before that.
    pause: float = 0.0
    #: Seconds for which credential or channel was parked because of it.
    parked: float = 0.0

    @property
    def blames(self) -> bool:
        """Whether it counts against the channel."""
        return self.row.blames

    @property
    def passes_through(self) -> bool:
        """Whether the vendor's answer goes to the caller."""
        return self.row.passes_through


class _Error(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _Body(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Body).decode


def row_of(failure: UpstreamError, table: Sequence[Row] = TABLE) -> Row:
    """The row of the table that a failure falls under."""
    status = failure.upstream_status if isinstance(failure, UpstreamRefused) else 0
    codes = _codes(failure)
    for row in table:
        if (
            isinstance(failure, row.errors)
            and (not row.statuses or status in row.statuses)
            and (not row.codes or not row.codes.isdisjoint(codes))
        ):
            return row
    raise LookupError(f"the failure table has no row for {type(failure).__name__}")


def _codes(failure: UpstreamError) -> tuple[str, ...]:
    """Codes that say what went wrong: the vendor's where it answered, else ours."""
    if not isinstance(failure, UpstreamRefused):
        return (failure.code,)
    if not 0 < len(failure.body) <= _READ:
        return ()
    try:
        error = _decode(failure.body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    return (str(error.code), error.type or "")


def parked_for(row: Row, retry_after: float | None, level: int) -> float:
    """Seconds of parking after `level` earlier failures of the same sort in a row; 0: not at all."""
    if row.heeds and (asked := heeded(retry_after)) is not None:
        return min(asked, row.heeds)
    return min(row.pause * 2.0 ** min(level, 30), row.longest)


def heeded(retry_after: float | None) -> float | None:
    """A Retry-After that makes sense, in seconds: above zero and at most an hour; None otherwise."""
    if retry_after is None or not retry_after > 0:
        return None
    return min(retry_after, LONGEST_RETRY_AFTER)


def read_retry_after(value: bytes | None, value_ms: bytes | None, now_ms: int) -> float | None:
    """Seconds from a vendor's `retry-after` (seconds or HTTP date, RFC 9110 10.2.3) and `retry-after-ms` headers.

    `now_ms` is the wall clock in ms since 1970. None where neither says anything usable.
    """
    for text, scale in ((value_ms, 1000.0), (value, 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) / scale
        except ValueError:
            continue
        return heeded(seconds)
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
        return heeded(date.timestamp() - now_ms / 1000)
    except (ValueError, OverflowError, UnicodeDecodeError):
        return None


def final(failures: Sequence[UpstreamError]) -> GatewayError:
    """The error for a caller whose candidates are all used up (none at all: all were taken in the meantime).

    429 if every route said so, with the shortest wait; 504 or 502 where nothing but time and unreachable or unreadable
    providers stood in the way; else 503. Failures that pass through are the caller's to see and do not belong here.
    """
    rows = [row_of(failure) for failure in failures]
    kinds = {row.kind for row in rows}
    wait = shortest(failure.retry_after for failure in failures)
    detail = ", ".join(_noted(row, failure) for row, failure in zip(rows, failures, strict=True))
    if kinds == {"rate"}:
        return rate_limited(wait, detail)
    if kinds and kinds <= {"network", "bad_answer", "time"}:
        if "time" in kinds:
            return TookTooLong(detail=detail)
        return Unreachable(detail=detail) if "network" in kinds else BadAnswer(detail=detail)
    return NoChannel(retry_after=wait, detail=detail)


def rate_limited(wait: float | None, detail: str) -> TooMany:
    """The error for a caller when the providers, and not the caller's own key, limit the rate."""
    return TooMany(
        "The providers of this model accept no more calls at the moment, please try again later.",
        retry_after=wait if wait is not None else 1.0,
        detail=detail,
    )


def shortest(waits: Iterable[float | None]) -> float | None:
    """The shortest of the waits that make sense; None where there is none."""
    return min((wait for wait in map(heeded, waits) if wait is not None), default=None)


def _noted(row: Row, failure: UpstreamError) -> str:
    """A failure for the log: our words and the status only."""
    return f"{row.name} {failure.upstream_status}" if isinstance(failure, UpstreamRefused) else row.name
