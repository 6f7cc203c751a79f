"""Balance: what a user or a key has, has used, and has in use; rule 26 of the money."""

from dataclasses import dataclass

from unigate.base.money import NANO


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

    def credits(self, per_usd: int) -> tuple[int, int, int]:
        """Left, used and in use in whole credits; their sum is the grant rounded down. -1 is left without a budget."""
        in_use = -(-self.in_use * per_usd // NANO)
        if self.granted is None:
            return -1, self.used * per_usd // NANO, in_use
        granted = max(self.granted, self.used + self.in_use) * per_usd // NANO
        left = self.left * per_usd // NANO
        in_use = min(in_use, granted - left)
        return left, granted - left - in_use, in_use
