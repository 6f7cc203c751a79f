"""What the operator's and the users' own doings are told as: top-ups, prices, books that do not agree."""

from typing import Any

import pytest
from sqlalchemy import select, update

from unigate.base.clock import now_ms
from unigate.base.config_reader import Reader
from unigate.base.money import NANO
from unigate.base.settings import Config, PriceEntry
from unigate.manage import codes, demo, ledger, notifications, prices, users
from unigate.manage.apply import apply
from unigate.manage.desk import Desk
from unigate.manage.notification_forms import TargetForm, kept_of
from unigate.manage.notifications import NotificationForm, reseal, set_notifications
from unigate.manage.price_import import import_prices
from unigate.manage.price_lists import PriceList
from unigate.providers import catalogue
from unigate.store import notifications as target_rows
from unigate.store.database import Database
from unigate.store.ledger_tables import accounts
from unigate.store.news import News
from unigate.store.notice_tables import news
from unigate.tasks.account_words import said


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret="s", providers=catalogue())


async def told(desk: Desk) -> list[News]:
    async with desk.db.reading() as tx:
        return [News(*row) for row in await tx.all(select(news).order_by(news.c.id))]


async def test_credit_is_told_once_however_often_it_is_tried(desk: Desk) -> None:
    alice = await users.create_user(desk, "alice", credit=NANO)
    assert await told(desk) == []
    for _ in range(2):
        await users.topup(desk, "alice", 5 * NANO, id="payment-1")
    batch = await codes.create_codes(desk, 7 * NANO)
    await codes.redeem(desk, "alice", batch.codes[0].code)
    assert [(one.event, one.user_id, one.facts) for one in await told(desk)] == [
        ("topup.done", alice.id, {"amount": 5 * NANO}),
        ("topup.done", alice.id, {"amount": 7 * NANO}),
    ]


def entry(**more: Any) -> PriceEntry:
    return PriceEntry(**more)


async def test_a_changed_price_is_told_with_what_it_was(desk: Desk) -> None:
    await prices.set_price(desk, entry(model="gpt-x", input=2 * NANO))
    later = now_ms() + 86_400_000
    await prices.set_price(desk, entry(model="gpt-x", input=3 * NANO, output=NANO // 2, starts=later))
    view = await prices.set_price(desk, entry(operation="midjourney.imagine", per_call={"fast": NANO}))
    await prices.withdraw_price(desk, view.id)
    await prices.withdraw_price(desk, view.id)
    rows = await told(desk)
    assert {one.event for one in rows} == {"price.changed"} and {one.user_id for one in rows} == {""}
    changes = [(c["title"], c["old"], c["new"]) for one in rows for c in one.facts["prices"]]
    assert changes == [
        ("gpt-x", "", "input 2"),
        ("gpt-x", "input 2", "input 3, output 0.5"),
        ("midjourney.imagine", "", "per_call fast 1"),
        ("midjourney.imagine", "per_call fast 1", ""),
    ]
    assert rows[1].facts["prices"][0]["at"] == later
    assert "gpt-x: input 2 -> input 3, output 0.5" in said("price.changed", rows[1].facts, "en").text


async def test_files_and_lists_tell_of_what_changes_all_at_once(desk: Desk) -> None:
    def config(amount: int) -> Config:
        text = f"prices: [{{model: a, input: {amount}}}, {{model: b, input: {amount}}}, {{model: c, input: 1}}]"
        read: Config = Reader("f", {}).parse(text.encode(), Config)
        return read

    await apply(desk, config(1))
    assert await told(desk) == []  # nothing was different before
    await apply(desk, config(2))
    await apply(desk, config(2))
    [row] = await told(desk)
    assert [one["title"] for one in row.facts["prices"]] == ["a", "b"] and row.facts["count"] == 2
    await prices.set_price(desk, entry(model="d", input=NANO))
    given = PriceList(entries=[entry(model=name, input=9 * NANO) for name in ("d", "e")], left_out={})
    await import_prices(desk, given, everything=True)
    assert len(await told(desk)) == 2
    await import_prices(desk, given, apply=True, everything=True)
    assert [one["title"] for one in (await told(desk))[2].facts["prices"]] == ["d"]


async def test_books_that_do_not_agree_are_told_until_they_do(desk: Desk) -> None:
    await users.create_user(desk, "alice", credit=NANO)
    assert (await ledger.checked(desk)).sound and await told(desk) == []

    async def shift(amount: int) -> None:
        async with desk.db.writing() as tx:
            moved = {"granted": accounts.c.granted + amount, "posted": accounts.c.posted + amount}
            await tx.run(update(accounts).values(moved))

    await shift(5)
    for _ in range(2):
        assert not (await ledger.checked(desk)).sound
    [row] = await told(desk)
    assert row.event == "ledger.mismatch" and row.facts["count"] >= 1 and row.facts["first"]
    await shift(-5)
    assert (await ledger.checked(desk)).sound
    await shift(5)
    assert not (await ledger.checked(desk)).sound
    assert len(await told(desk)) == 2


async def test_what_targets_keep_is_sealed_anew(desk: Desk) -> None:
    await users.create_user(desk, "alice")
    form = TargetForm(kind="gotify", url="https://g.example", token="tok")
    view, _ = await set_notifications(desk, "alice", NotificationForm(targets=(form,)))
    new = Desk(db=desk.db, secret="t", others=("s",))
    async with desk.db.writing() as tx:
        assert await reseal(tx, new) == 1
        assert await reseal(tx, new) == 0
        row = (await target_rows.by_ids(tx, [str(view.targets[0].id)]))[str(view.targets[0].id)]
    assert kept_of(Desk(db=desk.db, secret="t"), row).token == "tok"


async def test_the_demos_user_is_told_at_the_sandbox_wherever_it_is(desk: Desk, tmp_path: Any) -> None:
    for port in (1111, 2222):
        await demo.prepare(desk, tmp_path, f"http://127.0.0.1:{port}", port + 1)
        hook, mail = (await notifications.show_notifications(desk, "demo")).targets
        assert (hook.url, mail.address) == (f"http://127.0.0.1:{port}/sandbox/hooks/demo", "demo@example.com")
    await set_notifications(desk, "demo", NotificationForm(targets=()))
    await demo.prepare(desk, tmp_path, "http://127.0.0.1:3333", 1)
    assert (await notifications.show_notifications(desk, "demo")).targets == []
