"""Record: what is kept of a call when it ended. It is journaled before the caller sees the end of the answer."""

from typing import Literal

import msgspec

End = Literal["completed", "failed", "canceled", "empty", "upstream_broken", "caller_left", "out_of_funds"]


class Attempt(msgspec.Struct, array_like=True, gc=False):
    """One try at one channel."""

    channel: str
    credential: str
    #: The upstream's status, 0 when there was none.
    status: int
    #: Our code for what went wrong, empty when nothing did.
    error: str
    #: Milliseconds from sending to headers or failure.
    ms: int


class Record(msgspec.Struct, array_like=True, gc=False):
    """One row of the table `usage`, and the amount to capture. Money in nano-USD, times in ms since 1970."""

    id: str
    at: int
    user: str
    key: str
    group: str
    operation: str
    model: str
    channel: str
    upstream_model: str
    status: int
    end: str
    stream: bool
    estimated: bool
    units: dict[str, int]
    #: What the caller is charged; 0 for everything free.
    cost: int
    #: Microseconds: to the first byte of the answer, in all, and our own share.
    first_us: int
    total_us: int
    own_us: int
    price: str
    multiplier: int
    attempts: list[Attempt]
    #: Ledger part, filled in by billing: the hold that pays, "" where nothing is to be captured.
    hold: str = ""
    #: The hold was made for this one call: it is closed with this record.
    single: bool = False
    #: The part of `cost` that the hold does not cover: taken from wallet and windows, or written off.
    over: int = 0
    #: The day of admission (20261121, in the budgets' time zone), which names the key's windows that count this call.
    day: int = 0
    error: str = ""
    request_id_upstream: str = ""


class Note(msgspec.Struct, array_like=True, gc=False):
    """A task's handle, journaled the moment it is read: it costs nothing, and must not be lost."""

    #: The task.
    id: str
    channel: str
    credential: str
    #: JSON.
    handle: str
