"""Batch: many calls of one endpoint that a user asks for in a file, as dialects read and show it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch that a user asks for."""

    input_file_id: str
    #: The path of the operation that all its lines call.
    endpoint: str
    completion_window: str
    #: JSON; "": none.
    metadata: str = ""
    #: Seconds after which its files expire.
    lasts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch. Times are milliseconds since 1970; 0: not yet."""

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    metadata: str = ""
    state: State = "validating"
    #: JSON list; "": none.
    errors: str = ""
    #: That all its lines name; "": not known, or they name several.
    model: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    #: JSON mapping of units; "": nothing was used.
    usage: str = ""
    output_file_id: str = ""
    error_file_id: str = ""
    created_at: int
    expires_at: int
    in_progress_at: int = 0
    finalizing_at: int = 0
    completed_at: int = 0
    failed_at: int = 0
    expired_at: int = 0
    cancelling_at: int = 0
    cancelled_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One request of a batch."""

    #: From 1.
    number: int
    custom_id: str
    model: str
    body: bytes
