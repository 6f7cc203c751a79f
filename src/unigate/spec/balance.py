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

    @property
    def left(self) -> int:
        """What is left, the free part of leases included; -1 without a budget, 0 where a budget was cut below its use."""
        if self.granted is None:
            return -1
        return max(self.granted - self.used - self.in_use, 0)
