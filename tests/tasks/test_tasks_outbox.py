"""The outbox over real HTTP, on both databases: what arrives, how often, when, and what does not."""

import asyncio
from datetime import UTC, datetime

import pytest
from hooks_kit import (
    QUICK,
    SECRET,
    USER,
    delivering,
    ended,
    found,
    letter,
    put,
    quick,
    tries,
    until_so,
)
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import Got, answer, receiving
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.live_settings import NotifySettings
from unigate.store import outbox as rows
from unigate.store.database import Database
from unigate.tasks.outbox import Outbox
from unigate.tasks.signing import user_secret


async def test_a_message_arrives_once_signed_and_as_it_was_written(database: Database) -> None:
    async with receiving(answer(202, b"thanks")) as receiver, delivering(database):
        body = '{"text":"世界"}'.encode()
        headers = ((b"content-type", b"application/json"), (b"x-more", b"1"))
        [id] = await put(database, letter(f"{receiver.url}/a//b?x=%2F&y", body=body, headers=headers))
        [row] = await ended(database, [id])
    assert (row.state, row.tries, row.owner, row.lease_until) == ("delivered", 1, "", 0)
    assert row.ended_at >= row.created_at
    [got] = receiver.got
    assert (got.method, got.target, got.body) == ("POST", "/a//b?x=%2F&y", body)
    assert got.headers["content-type"] == "application/json" and got.headers["x-more"] == "1"
    assert got.headers["user-agent"].startswith("unigate/") and got.id == id
    Checker(user_secret(SECRET, USER)).verify(body, got.headers)
    assert abs(int(got.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    [tried] = await tries(database, id)
    assert (tried.status, tried.error, tried.answer, tried.user_id) == (202, "", "thanks", USER)


async def test_what_is_not_to_be_signed_is_not(database: Database) -> None:
    async with receiving() as receiver, delivering(database):
        await ended(database, await put(database, letter(receiver.url, signed=False, form="midjourney")))
    assert not [name for name in receiver.got[0].headers if name.startswith("webhook-")]


@pytest.mark.parametrize("first", [500, 404, None, 429], ids=str)
async def test_what_fails_is_tried_again_with_the_same_id_and_body(database: Database, first: int | None) -> None:
    async with receiving(first, 503, 204) as receiver, delivering(database):
        [id] = await put(database, letter(receiver.url))
        [row] = await ended(database, [id])
    assert (row.state, row.tries) == ("delivered", 3)
    assert len({(got.id, got.body) for got in receiver.got}) == 1 and len(receiver.got) == 3
    seen = await tries(database, id)
    assert [one.status for one in seen] == [first or 0, 503, 204]
    assert [bool(one.error) for one in seen] == [True, True, False]


async def test_pauses_are_as_the_settings_say(database: Database) -> None:
    terms = quick(tries=(0.0, 5.0, 30.0), jitter=0.1)
    async with receiving(500) as receiver, delivering(database, terms) as outbox:
        [id] = await put(database, letter(receiver.url))
        for count, least, most in ((1, 4400, 5600), (2, 26900, 33100)):

            async def tried(count: int = count) -> bool:
                return (await found(database, id)).tries == count

            await until_so(tried)
            row, last = await found(database, id), (await tries(database, id))[-1]
            assert least <= row.due_at - last.at <= most and row.state == "waiting"
            async with database.writing() as tx:
                await rows.again(tx, id, now_ms(), url=row.url, host=row.host)
            outbox.poke()
        [row] = await ended(database, [id])
    assert (row.state, row.tries, len(receiver.got)) == ("failed", 3, 3)


def test_the_defaults_are_eight_tries_over_a_day() -> None:
    assert NotifySettings().tries == (0, 5, 30, 120, 600, 3600, 21600, 86400)
    assert not NotifySettings().allow_private_targets


async def test_redirects_are_not_followed(database: Database) -> None:
    async with receiving() as other, receiving(answer(302, location=other.url)) as receiver:
        async with delivering(database, quick(tries=(0.0, 0.05))):
            [id] = await put(database, letter(receiver.url))
            [row] = await ended(database, [id])
        assert (row.state, len(receiver.got), other.got) == ("failed", 2, [])
    assert "redirects are not followed" in (await tries(database, id))[0].error


async def test_private_addresses_are_refused_by_literal_and_by_name(database: Database) -> None:
    terms = quick(allow_private_targets=False, tries=(0.0,))

    async def lookup(host: str) -> list[str]:
        return {"rebound.example": ["10.0.0.7", "127.0.0.1"], "v6.example": ["::ffff:127.0.0.1"]}[host]

    async with receiving() as receiver, delivering(database, terms, lookup=lookup):
        hosts = ("127.0.0.1", "rebound.example", "v6.example")
        ids = await put(database, *(letter(f"http://{host}:{receiver.port}/") for host in hosts))
        found_rows = await ended(database, ids)
    assert [row.state for row in found_rows] == ["failed"] * 3 and receiver.got == []
    for id in ids:
        assert "no public address" in (await tries(database, id))[0].error


async def test_a_name_that_is_allowed_is_reached_at_its_address(database: Database) -> None:
    asked = []

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with receiving() as receiver, delivering(database, lookup=lookup):
        await ended(database, await put(database, letter(f"http://hooks.example:{receiver.port}/x")))
    assert asked == ["hooks.example"] and receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_gone_is_the_end_of_it(database: Database) -> None:
    async with receiving(410) as receiver, delivering(database):
        [row] = await ended(database, await put(database, letter(receiver.url)))
    assert (row.state, row.tries, len(receiver.got)) == ("failed", 1, 1)


@pytest.mark.parametrize("url", ["", "ftp://example.com", "http://", "http://user@127.0.0.1/"])
async def test_an_address_that_is_none_fails_and_harms_nothing(database: Database, url: str) -> None:
    async with receiving() as receiver, delivering(database, quick(tries=(0.0,))):
        bad, good = await put(database, letter(url), letter(receiver.url))
        states = [row.state for row in await ended(database, [bad, good])]
    assert states == ["failed", "delivered"]
    assert (await tries(database, bad))[0].status == 0


async def test_a_receiver_that_hangs_is_left_in_time_and_its_long_answer_unread(database: Database) -> None:
    async def hang(_got: Got) -> None:
        await asyncio.sleep(0.6)

    terms = quick(seconds=0.2, tries=(0.0,))
    long = answer(200, b"x" * 100_000)
    async with receiving(answering=hang) as slow, receiving(long) as quickly, delivering(database, terms):
        late, well = await put(database, letter(slow.url), letter(quickly.url))
        states = [row.state for row in await ended(database, [late, well])]
    assert states == ["failed", "delivered"]
    [tried] = await tries(database, late)
    assert (tried.status, tried.answer) == (0, "") and tried.error
    assert (await tries(database, well))[0].answer == "x" * 4096


async def test_one_slow_host_holds_up_nobody_else(database: Database) -> None:
    open_now, most = 0, 0
    end = asyncio.Event()

    async def slowly(_got: Got) -> int:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await end.wait()
        open_now -= 1
        return 200

    async with receiving(answering=slowly) as slow, receiving() as quickly, delivering(database, quick(seconds=30.0)):
        stuck = await put(database, *(letter(slow.url, due_at=now_ms() - 5000) for _ in range(40)))
        others = await put(database, *(letter(quickly.url) for _ in range(30)))
        assert {row.state for row in await ended(database, others)} == {"delivered"}
        await until(lambda: open_now == QUICK.per_host)
        assert not [row for id in stuck if (row := await found(database, id)).state != "waiting"]
        end.set()
        assert {row.state for row in await ended(database, stuck)} == {"delivered"}
    assert most == QUICK.per_host == 4
    assert len({got.id for got in slow.got}) == len(slow.got) == 40


async def test_what_was_not_noted_is_sent_again_by_another_with_the_same_id(database: Database) -> None:
    async with receiving() as receiver:
        [id] = await put(database, letter(receiver.url))
        async with database.writing() as tx:  # somebody took it and was killed
            [row] = await rows.claim(tx, "out_dead", now=now_ms(), until=now_ms() + 500, most=5)
        assert row.owner == "out_dead"
        async with delivering(database):
            [row] = await ended(database, [id])
        assert (row.state, row.tries, [got.id for got in receiver.got]) == ("delivered", 1, [id])
        async with database.writing() as tx:  # the other one was only slow: its word comes too late
            late = rows.OutboxRow(
                **{**{n: getattr(row, n) for n in row.__slots__}, "owner": "out_dead", "state": "failed"}
            )
            assert not await rows.note(tx, late)
    assert (await found(database, id)).state == "delivered"


async def test_two_share_the_work_and_each_message_arrives_once(database: Database) -> None:
    async with (
        receiving() as receiver,
        delivering(database, quick(per_host=16)),
        delivering(database, quick(per_host=16)),
    ):
        ids = await put(database, *(letter(receiver.url) for _ in range(200)))
        assert {row.state for row in await ended(database, ids, seconds=60)} == {"delivered"}
    assert sorted(got.id for got in receiver.got) == sorted(ids)


async def test_it_stops_after_what_is_on_its_way(database: Database) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_got: Got) -> int:
        started.set()
        await go_on.wait()
        return 200

    async with receiving(answering=wait) as receiver:
        async with delivering(database) as outbox:
            [id] = await put(database, letter(receiver.url))
            await started.wait()
            outbox.stop()
            [late] = await put(database, letter(receiver.url))
            outbox.poke()
            go_on.set()
        assert isinstance(outbox, Outbox)
        assert (await found(database, id)).state == "delivered"
        assert (await found(database, late)).state == "waiting" and len(receiver.got) == 1


async def test_old_messages_and_tries_are_deleted(database: Database) -> None:
    day = 86_400_000
    old = now_ms() - 31 * day
    kept, waiting, *gone = await put(
        database,
        letter("http://127.0.0.1:9/", state="delivered", created_at=now_ms() - 29 * day),
        letter("http://127.0.0.1:9/", created_at=old, due_at=now_ms() + day),
        *(letter("http://127.0.0.1:9/", state="failed", created_at=old) for _ in range(700)),
    )
    async with database.writing() as tx:
        for id, at in ((kept, now_ms()), (gone[0], old)):
            await rows.log(tx, rows.Delivery(f"dlv_{id}", id, USER, at, 200, "", 1, ""))

    async def deleted() -> bool:
        return not await _exist(database, gone[-1], gone[0]) and not await tries(database, gone[0])

    async with delivering(database):
        await until_so(deleted)
    assert await _exist(database, kept, waiting) == 2 and len(await tries(database, kept)) == 1
    assert await _exist(database, *gone) == 0


async def _exist(database: Database, *ids: str) -> int:
    async with database.reading() as tx:
        return len([id for id in ids if await rows.by_id(tx, id) is not None])
