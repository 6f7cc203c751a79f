"""The ledger check: proves in one snapshot that the books agree with themselves. Money not moved yet is no mismatch."""

from dataclasses import dataclass

from unigate.base.clock import Seconds
from unigate.store.database import Database
from unigate.store.proof import ask, pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should not be. Amounts are nano-USD."""

    #: What must hold.
    rule: str
    #: The account, hold, window, row or segment that it concerns.
    subject: str
    #: What the books say, and what it adds up to.
    says: int
    adds_up_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found. Amounts are nano-USD."""

    findings: tuple[Finding, ...]
    open_holds: int
    #: What open holds keep from being spent elsewhere,
    held: int
    #: and what of that calls use, or have used without having been moved yet.
    in_use: int

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


async def check(database: Database, *, statement: Seconds | None = None) -> Report:
    """Check the whole ledger; `statement`: seconds for each question, if not as usual. Raises StoreUnavailable."""
    async with database.reading(statement=statement) as tx:
        rows = await ask(tx)
        count, held, in_use = await pending(tx)
    findings = tuple(Finding(rule=r, subject=s, says=says, adds_up_to=sum_) for r, s, says, sum_ in rows)
    return Report(findings=findings, open_holds=count, held=held, in_use=in_use)
