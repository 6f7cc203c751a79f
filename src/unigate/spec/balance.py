"""Balance: what a user or a key has, has used, and has in use; rule 26 of the money."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Nano-USD, at one moment. `granted` None: a key without a budget."""

    granted: int | None
    #: Captured and in the database, less refunds.
    used: int
    #: In use by calls and tasks, or captured and not in the database yet.
    in_use: int
