"""Keeping prompts and answers: bounded, in batches, for the term that was said, and gone afterwards."""

from collections.abc import Sequence

import pytest

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import NotFound, StoreUnavailable
from unigate.manage import kept
from unigate.manage.desk import Desk
from unigate.relay.keeping import Copy, Keeper
from unigate.spec.kept import DAY_MS, MOST, Kept
from unigate.store.database import Database


def row(days: float = 1, *, user: str = "usr_1", answer: bytes = b"answer") -> Kept:
    now = now_ms()
    return Kept(
        id=ids.new("req"),
        at=now,
        ends_at=now + int(days * DAY_MS),
        user_id=user,
        key_id="key_1",
        status=200,
        request=b"request \xff",
        answer=answer,
        cut=False,
    )


class Store:
    """Where kept bodies go; can be away."""

    def __init__(self) -> None:
        self.rows: list[Kept] = []
        self.away = False

    async def save(self, rows: Sequence[Kept]) -> None:
        if self.away:
            raise StoreUnavailable
        self.rows += rows


def keep(keeper: Keeper, answer: bytes = b"a", *, request: bytes = b"r", days: int = 1) -> None:
    keeper.put("req_1", now_ms(), days, user_id="u", key_id="k", status=200, request=request, answer=answer)


async def test_what_waits_is_bounded_and_written_when_the_database_is_back() -> None:
    store = Store()
    keeper = Keeper(store.save, waiting=1000)
    store.away = True
    for _ in range(20):
        keep(keeper, b"x" * 99)
    await keeper.write()
    assert store.rows == [] and keeper.dropped == 10
    store.away = False
    await keeper.write()
    assert len(store.rows) == 10
    keep(keeper, b"x" * 99)
    await keeper.write()
    assert len(store.rows) == 11 and keeper.dropped == 10


async def test_a_long_body_is_cut_and_says_so() -> None:
    store = Store()
    keeper = Keeper(store.save)
    keep(keeper, b"x" * (MOST + 5))
    keep(keeper, b"short", request=b"y" * (MOST + 1), days=30)
    keep(keeper)
    await keeper.write()
    assert [(len(r.request), len(r.answer), r.cut) for r in store.rows] == [
        (1, MOST, True),
        (MOST, 5, True),
        (1, 1, False),
    ]
    assert store.rows[1].ends_at - store.rows[1].at == 30 * DAY_MS


def test_a_stream_is_copied_as_it_passes_up_to_the_bound() -> None:
    out: list[bytes] = []
    full = False

    def write(piece: bytes) -> bool:
        out.append(piece)
        return full

    copy = Copy(write)
    assert copy(b"one") is False
    full = True
    assert copy(b"two") is True
    for _ in range(5):
        copy(b"z" * (MOST // 2))
    assert len(out) == 7 and copy.answer.startswith(b"onetwo") and MOST < len(copy.answer) <= 2 * MOST


async def test_rows_are_shown_to_their_user_and_dropped_after_their_term(database: Database) -> None:
    desk = Desk(db=database, secret="s")
    here, over, other = row(), row(-1), row(user="usr_2")
    await kept.save(database, [here, over, other, here])
    assert await kept.show_kept(desk, here.id) == here
    assert await kept.show_kept(desk, here.id, "usr_1") == here
    for id, user in ((other.id, "usr_1"), (over.id, None), ("req_none", None)):
        with pytest.raises(NotFound):
            await kept.show_kept(desk, id, user)
    assert await kept.drop_ended(database) == 1
    assert await kept.drop_ended(database) == 0
    assert await kept.show_kept(desk, other.id) == other
