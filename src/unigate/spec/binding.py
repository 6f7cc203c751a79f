"""Binding: an id that a vendor gave and a caller may come back with, and where the thing behind it is known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """It belongs to a user, and to the channel and credential that know the thing."""

    #: What kind of thing: `response`, later `file`, `task`, ...
    kind: str
    #: The id that callers know; unique within its kind.
    public_id: str
    #: The vendor's id; the same one where the vendor's bytes pass untouched.
    upstream_id: str
    channel_id: str
    credential_id: str
    user_id: str
    #: The model's public name.
    model: str
    #: Milliseconds since 1970.
    created_at: int
