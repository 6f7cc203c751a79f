"""A journal with surroundings that note what they are told, and records to keep in it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from billing_cases import QUICK, record

from unigate.base.errors import StoreUnavailable
from unigate.billing import segments
from unigate.billing.format import decode, read
from unigate.billing.journal import Journal
from unigate.spec.record import Attempt, Record
from unigate.spec.terms import Terms


def some(count: int) -> list[Record]:
    """Records that differ, `req_0` and so on."""
    made = []
    for number in range(count):
        one = record(number, hold="h" if number else "", id=f"req_{number}")
        one.at = number
        one.attempts = [Attempt("ch", "cr", 500, "upstream_error", number)] * (number % 3)
        made.append(one)
    return made


class Keeper:
    """A journal's surroundings."""

    def __init__(self, folder: Path, terms: Terms = QUICK, *, database: bool = True) -> None:
        self.folder = folder
        self.alarms: list[tuple[str, str]] = []
        self.rescued: list[Record] = []
        self.database = database
        self.told: dict[str, bool] = {}
        self.journal = Journal(folder, "prc_1", terms, alarm=self.alarm, fallback=self.rescue)

    def alarm(self, kind: str, text: str) -> None:
        self.alarms.append((kind, text))

    async def rescue(self, records: Sequence[Record]) -> None:
        if not self.database:
            raise StoreUnavailable
        self.rescued += records

    def append(self, one: Record, undo: Callable[[], None] | None = None) -> None:
        self.journal.append(one, lambda kept: self.told.update({one.id: kept}), undo)

    def written(self) -> list[str]:
        """Ids on file, segment by segment."""
        found = []
        for number in segments.published(self.folder).get("prc_1", []):
            data = segments.path_of(self.folder, "prc_1", number).read_bytes()
            found += [decode(entry).id for entry in read(data, 0, 10**6)[0]]
        return found


def admits(keeper: Keeper) -> bool:
    """Whether a paid call may be admitted."""
    return keeper.journal.ready
