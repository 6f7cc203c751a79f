"""`unigate code` and `unigate usage`: what they print for people and programs, and their exit codes."""

import asyncio
import csv
from io import StringIO
from typing import Any

import pytest
from test_cli import Shell, shell  # noqa: F401 - a fixture is used by its name

from unigate.base.clock import now_ms
from unigate.spec.record import Record
from unigate.store.captures import capture
from unigate.store.open import connect


def test_a_code_from_the_shell(shell: Shell) -> None:  # noqa: F811
    shell.json("user", "create", "alice")
    made = shell.json("code", "create", "12.5", "--count", "2", "--batch", "spring", "--expires", "2999-01-01")
    assert (made["batch"], made["amount"], len(made["codes"])) == ("spring", "12.5", 2)
    assert made["expires_at"].startswith("2999-01-01T00:00:00")
    given = shell.json("code", "redeem", "alice", made["codes"][0]["code"])
    assert (given["amount"], given["balance"]) == ("12.5", "12.5")
    assert shell.refused("code", "redeem", "alice", made["codes"][0]["code"], code=1) == (
        "This code has been redeemed already."
    )
    assert shell.refused("code", "redeem", "alice", "nonsense", code=1) == "There is no such code."
    listed = shell.json("code", "list", "--state", "redeemed")
    assert [(one["id"], one["amount"]) for one in listed] == [(made["codes"][0]["id"], "12.5")]
    assert shell.json("code", "list", "--user", "alice") == listed
    assert shell.json("code", "withdraw", "--batch", "spring") == {"batch": "spring", "count": 1}
    assert shell.json("code", "withdraw", made["codes"][1]["id"])["state"] == "withdrawn"
    for line in (shell.run("code", "list")[1], shell.run("code", "create", "1")[1]):
        assert "batch" in line
    assert shell.json("ledger", "check")["sound"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("code", "create", "0"), 2, "An amount is more than nothing"),
        (("code", "create", "x"), 2, "--usd:"),
        (("code", "create", "1", "--expires", "2020-01-01"), 2, "Codes that have expired already"),
        (("code", "withdraw"), 2, "name either a code or --batch"),
        (("code", "withdraw", "code_1", "--batch", "b"), 2, "name either a code or --batch"),
        (("code", "withdraw", "code_1"), 1, "There is no code 'code_1'."),
        (("code", "list", "--state", "lost"), 2, "A code is open, redeemed, withdrawn, expired, not 'lost'."),
        (("code", "redeem", "nobody", "x"), 1, "There is no user 'nobody'."),
        (("usage", "--step", "week"), 2, "A step is one of hour, day, all, not 'week'."),
        (("usage", "--by", "colour"), 2, "Usage is told apart by user, key, channel"),
        (("usage", "--user", "nobody"), 1, "There is no user 'nobody'."),
    ],
)
def test_what_is_wrong_is_one_line(shell: Shell, words: tuple[str, ...], code: int, says: str) -> None:  # noqa: F811
    assert shell.refused(*words, code=code).startswith(says)


def test_usage_is_summed_up_and_exported(shell: Shell) -> None:  # noqa: F811
    user = shell.json("user", "create", "alice")
    asyncio.run(_use(shell, user["id"]))
    found: dict[str, Any] = shell.json("usage", "--by", "model", "--step", "all", "--user", "alice")
    assert (found["total"]["calls"], found["total"]["charged"]) == (3, "0")
    assert [(part["value"], part["sums"]["calls"]) for part in found["parts"]] == [("a", 2), ("b", 1)]
    assert found["since"].endswith("+00:00")
    code, out, _ = shell.run("usage", "--by", "user")
    assert (code, "alice" in out, "total" in out) == (0, True, True)
    code, out, _ = shell.run("usage", "--csv", "--model", "a")
    assert (code, [row[6] for row in csv.reader(StringIO(out))]) == (0, ["model", "a", "a"])


async def _use(shell: Shell, user: str) -> None:  # noqa: F811
    database = connect(f"sqlite:///{shell.data / 'unigate.db'}")
    records = [
        Record(
            id=f"req_{n}",
            at=now_ms(),
            user=user,
            key="key_1",
            group="default",
            operation="openai.chat",
            model=model,
            channel="ch_1",
            upstream_model=model,
            status=200,
            end="completed",
            stream=False,
            estimated=False,
            units={"input": 1},
            cost=0,
            first_us=1,
            total_us=2,
            own_us=1,
            price="",
            multiplier=1_000_000,
            attempts=[],
        )
        for n, model in enumerate(("a", "a", "b"))
    ]
    async with database.writing() as tx:
        await capture(tx, records, at=1)
    await database.close()
