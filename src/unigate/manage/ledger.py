"""The ledger to be looked at: what a user's wallet gave and got, and whether the books agree."""

from dataclasses import dataclass
from typing import Literal, get_args

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest
from unigate.billing.check import Report, check
from unigate.manage.desk import Desk
from unigate.manage.users import user_named
from unigate.store import marks, news
from unigate.store import transfers as rows
from unigate.store.marks import Mark
from unigate.store.pages import Page, Slice
from unigate.store.transfers import TransferRow

#: For each question of a check that somebody waits for; `unigate ledger check` takes as long as it takes.
SECONDS = 120.0
#: What bears the mark of books that do not agree.
_BOOKS = "ledger/books"
Code = Literal["grant", "take_back", "refund", "capture", "overrun", "write_off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """A transfer as its wallet sees it."""

    id: str
    at: int
    code: str
    #: Nano-USD: what the wallet got, less than nothing where it gave.
    amount: int
    #: The account on the other side.
    other: str
    hold_id: str
    note: str


async def list_transfers(
    desk: Desk,
    user: str,
    page: Page,
    *,
    code: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Slice[TransferView]:
    """A page of a user's transfers, newest first; `since` and `until` (exclusive) in ms. BadRequest, NotFound."""
    if code is not None and code not in get_args(Code):
        raise BadRequest(f"A transfer is one of {', '.join(get_args(Code))}.", param="code")
    async with desk.db.reading() as tx:
        wallet_id = (await user_named(tx, user)).wallet_id
        found = await rows.page(tx, page, wallet_id, code=code, since=since, until=until)
    return found.map(lambda row: _view(row, wallet_id))


async def checked(desk: Desk) -> Report:
    """Whether the books agree with themselves; StoreUnavailable where that takes too long here."""
    report = await check(desk.db, statement=SECONDS)
    await tell(desk, report)
    return report


async def tell(desk: Desk, report: Report) -> None:
    """Tell operators of books that do not agree, once until they did. StoreUnavailable."""
    async with desk.db.reading() as tx:
        told = bool(await marks.some(tx, [_BOOKS]))
    if told is not report.sound:
        return
    now = now_ms()
    async with desk.db.writing() as tx:
        if report.sound:
            await marks.cleared(tx, _BOOKS)
        elif await marks.raised(tx, Mark(subject=_BOOKS, at=now)):
            first = report.findings[0]
            facts = {"count": len(report.findings), "first": f"{first.rule} ({first.subject})"}
            await news.add(tx, [news.made("ledger.mismatch", "", facts, now)])


def _view(row: TransferRow, wallet_id: str) -> TransferView:
    gave = row.debit == wallet_id
    return TransferView(
        id=row.id,
        at=row.at,
        code=row.code,
        amount=-row.amount if gave else row.amount,
        other=row.credit if gave else row.debit,
        hold_id=row.hold_id,
        note=row.note,
    )
