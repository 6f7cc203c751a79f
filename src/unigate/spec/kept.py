"""Kept: prompt and answer of one call, where its key or channel says that they are kept."""

from dataclasses import dataclass

#: More of a request or of an answer is not kept, in bytes.
MOST = 1 << 20
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One call's bodies, as they came from the caller and went to the caller."""

    #: Of the call (`req_...`).
    id: str
    #: Milliseconds since 1970: when the call was admitted, and from when on nothing of it is kept.
    at: int
    ends_at: int
    user_id: str
    key_id: str
    status: int
    request: bytes
    answer: bytes
    #: Either was longer than MOST.
    cut: bool
