"""What an operator changes while the gateway runs, and what callers then see; budgets, multipliers, tiers."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from support.postgres import run
from support.stage import KEY, Stage, body, gather_posts, mark, set_stage, workers_of
from support.waiting import until, wait_until
from support.world import Process

CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: [gpt-4o-mini, gpt-4o, {flat}, {later}, {tiered}]
    groups: [default, partners]
  - name: refusing
    provider: openai
    base_url: SANDBOX/fault/401/openai/v1
    credentials: sk-upstream-refused
    models: {parked: gpt-4o-mini, both: gpt-4o-mini}
    priority: 1
  - {name: second, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-2, models: {both: gpt-4o-mini}}
prices:
  - {model: gpt-4o-mini, input: 0.15, cached_input: 0.075, output: 0.60}
  - {model: "parked", input: 0.15, output: 0.60}
  - {model: "both", input: 0.15, output: 0.60}
  - {model: flat, per_call: 1}
  - {model: tiered, per_call: 2}
  - {model: tiered, when: {service_tier: flex}, per_call: 1}
groups: [{name: default}, {name: partners, multiplier: 2}]
users:
  - {name: alice, credit: 100000}
  - {name: partner, group: partners, credit: 100}
  - {name: olga, role: operator, credit: 100}
  - {name: empty, credit: 0}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: partner, user: partner, secret: sk-partner-0123456789}
  - {name: olga, user: olga, secret: sk-olga-0123456789}
  - {name: empty, user: empty, secret: sk-empty-0123456789}
  - {name: of-day, user: alice, secret: sk-of-day-0123456789, budget: {day: 3}}
  - {name: of-month, user: alice, secret: sk-of-month-0123456789, budget: {day: 50, month: 3}}
  - {name: of-total, user: alice, secret: sk-of-total-0123456789, budget: {total: 3, month: 50}}
""".replace(
    "[gpt-4o-mini, gpt-4o, {flat}, {later}, {tiered}]", "{gpt-4o-mini: gpt-4o-mini, gpt-4o: gpt-4o, MORE}"
).replace("MORE", ", ".join(f"{name}: gpt-4o-mini" for name in ("flat", "later", "tiered")))


@pytest.fixture(scope="module", params=["sqlite", "postgresql, two workers"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendors: Process
) -> Iterator[Stage]:
    """A gateway on each database."""
    on_sqlite = request.param == "sqlite"
    database = "sqlite:///unigate.db" if on_sqlite else request.getfixturevalue("module_postgres_url")
    home = tmp_path_factory.mktemp("operation")
    built = set_stage(home, vendors, CONFIG, database=database, workers=1 if on_sqlite else 2)
    yield built
    built.stop()


def agreed(stage: Stage, right: Callable[[httpx.Response], bool], what: str, key: str = KEY, **sent: object) -> None:
    """Wait until every worker answers a call as it should.

    The system deals connections out to workers by chance: that one of two gets none of twenty comes once in half a
    million looks.
    """
    count = 20 if len(workers_of(stage)) > 1 else 1

    def all_of_them() -> bool:
        if not right(stage.post(body("hi", **sent), key=key)):
            return False
        return count == 1 or all(map(right, run(gather_posts(stage, count, body("hi", **sent), key))))

    wait_until(all_of_them, seconds=30, what=what)


def status(code: int, name: str | None = None) -> Callable[[httpx.Response], bool]:
    """Whether a reply has this status, and this error code."""
    return lambda reply: reply.status_code == code and (name is None or reply.json()["error"]["code"] == name)


def costs(usd: str) -> Callable[[httpx.Response], bool]:
    """Whether a reply is good and cost so much."""
    return lambda reply: reply.status_code == 200 and reply.headers["x-unigate-cost"] == usd


def test_keys(stage: Stage) -> None:
    made = stage.manage("key", "create", "fresh", "--user", "alice")
    secret = made["secret"]
    agreed(stage, status(200), "the new key", key=secret)
    stage.manage("key", "disable", "alice/fresh")
    agreed(stage, status(401, "invalid_api_key"), "the disabled key", key=secret)
    stage.manage("key", "enable", "alice/fresh")
    agreed(stage, status(200), "the enabled key", key=secret)
    stage.manage("key", "set", "alice/fresh", "--model", "gpt-4o")
    agreed(stage, status(403, "model_not_allowed"), "the narrowed key", key=secret)
    stage.manage("key", "set", "alice/fresh", "--model", "*")
    other = stage.manage("key", "rotate", "alice/fresh")["secret"]
    agreed(stage, status(200), "the rotated key", key=other)
    agreed(stage, status(401, "invalid_api_key"), "the key before", key=secret)


def test_a_user_is_disabled(stage: Stage) -> None:
    stage.manage("user", "create", "passing", "--credit", "5")
    secret = stage.manage("key", "create", "one", "--user", "passing")["secret"]
    agreed(stage, status(200), "the new user", key=secret)
    stage.manage("user", "disable", "passing")
    agreed(stage, status(401, "invalid_api_key"), "the disabled user", key=secret)


def test_prices(stage: Stage) -> None:
    agreed(stage, status(403, "price_missing"), "no price", model="later")
    stage.manage("price", "set", "--model", "later", "per_call=1")
    agreed(stage, costs("1"), "the first price", model="later")
    stage.manage("price", "set", "--model", "later", "per_call=0.5")
    agreed(stage, costs("0.5"), "the second price", model="later")
    stage.manage("price", "set", "--model", "later", "--from", "2099-01-01", "per_call=9")
    soon = datetime.now(UTC) + timedelta(seconds=4)
    stage.manage("price", "set", "--model", "later", "--from", soon.isoformat(timespec="seconds"), "per_call=0.25")
    agreed(stage, costs("0.25"), "the price that was to come", model="later")
    assert datetime.now(UTC) >= soon.replace(microsecond=0)


def test_channels(stage: Stage) -> None:
    agreed(stage, status(404, "model_not_found"), "no channel", model="extra")
    words = ["--provider", "openai", "--base-url", stage.sandbox.url + "/openai/v1", "--credential", "sk-up-extra"]
    stage.manage("channel", "create", "extra", *words, "--model", "extra=gpt-4o-mini")
    stage.manage("price", "set", "--model", "extra", "input=1", "output=1")
    agreed(stage, status(200), "the new channel", model="extra")
    stage.manage("channel", "disable", "extra")
    agreed(stage, status(503, "no_channel_available"), "the disabled channel", model="extra")
    stage.manage("channel", "enable", "extra")
    agreed(stage, status(200), "the enabled channel", model="extra")
    stage.manage("channel", "set", "extra", "--base-url", stage.sandbox.url + "/fault/500/openai/v1")
    agreed(stage, status(503), "the changed channel", model="extra")


def test_credit(stage: Stage) -> None:
    key = "sk-empty-0123456789"
    agreed(stage, status(402, "insufficient_quota"), "no money", key=key, model="flat")
    for _ in range(2):
        stage.manage("user", "topup", "empty", "2", "--id", "payment-1")
    assert stage.usage(key)["balance"] == 2
    wait_until(lambda: stage.post(body("hi", model="flat"), key=key).status_code == 200, what="credit")
    wait_until(lambda: stage.usage(key) == {"balance": 1, "used": 1, "cache_used": 0}, what="the call on the ledger")
    stage.manage("user", "takeback", "empty", "1")
    assert stage.post(body("hi", model="flat"), key=key).status_code == 402
    assert stage.usage(key)["balance"] == 0
    stage.sound()


def test_states_of_operations(stage: Stage) -> None:
    plain = httpx.post(stage.base + "/no/such/thing", headers={"authorization": f"Bearer {KEY}"}, json={})
    try:
        stage.manage("settings", "set", "operations", '{"openai.chat": "off"}')
        agreed(stage, status(404, "unknown_url"), "chat switched off")
        assert stage.chat().json()["error"].keys() == plain.json()["error"].keys()
        stage.manage("settings", "set", "operations", '{"chat": "deprecated"}')
        agreed(stage, lambda r: r.status_code == 200 and r.headers.get("deprecation") == "true", "chat deprecated")
        with_stream = stage.chat(stream=True)
        assert with_stream.headers["deprecation"] == "true"
    finally:
        stage.manage("settings", "disable", "operations")
    agreed(stage, lambda r: r.status_code == 200 and "deprecation" not in r.headers, "chat live again")


@pytest.mark.parametrize("period", ["day", "month", "total"])
async def test_budgets_are_exact(stage: Stage, period: str) -> None:
    """Twelve callers at once with a budget of 3 USD at 1 USD a call; the user has more."""
    key = f"sk-of-{period}-0123456789"
    replies = await gather_posts(stage, 12, body("hi", model="flat"), key)
    assert Counter(reply.status_code for reply in replies) == {200: 3, 402: 9}
    assert {r.json()["error"]["code"] for r in replies if r.status_code == 402} == {"insufficient_quota"}
    found = {"balance": 0, "used": 3, "cache_used": 0}
    if period == "total":
        await until(lambda: stage.usage(key, "unit=usd&type=token") == found, what="the budget used up")
    assert stage.post(body("hi", model="flat")).status_code == 200, "another key of the user is not concerned"


def test_a_group_multiplies_prices(stage: Stage) -> None:
    sent = body("What costs twice as much?")
    single = Decimal(stage.post(sent).headers["x-unigate-cost"])
    double = Decimal(stage.post(sent, key="sk-partner-0123456789").headers["x-unigate-cost"])
    assert double == 2 * single > 0
    assert stage.post(body("hi", model="flat"), key="sk-partner-0123456789").headers["x-unigate-cost"] == "2"


@pytest.mark.parametrize("in_stream", [False, True])
def test_tiers_are_priced_as_they_were_served(stage: Stage, in_stream: bool) -> None:
    for tier, nano in (("default", 2 * 10**9), ("flex", 10**9)):
        reply = stage.post(body("hi", model="tiered", service_tier=tier, stream=in_stream))
        assert reply.status_code == 200
        assert stage.row(reply.headers["x-request-id"])["cost"] == nano


def test_a_parked_channel_is_explained(stage: Stage) -> None:
    word = mark()
    reply = stage.post(body(word, model="both"))
    assert reply.status_code == 200
    assert stage.post(body("hi", model="parked")).status_code == 503

    def parked() -> bool:
        shown = {one["name"]: one for one in stage.manage("explain", "both")}
        reasons = [credential["reason"] for credential in shown["refusing"]["credentials"]]
        return not shown["refusing"]["offered"] and any(reasons) and bool(shown["second"]["offered"])

    wait_until(parked, what="the parked channel explained")
    (shown,) = [one for one in stage.manage("explain", "parked", code=1) if one["name"] == "refusing"]
    assert shown["reason"] == "credentials_parked" and shown["credentials"][0]["waits"] > 0


def test_channel_test(stage: Stage) -> None:
    good = stage.manage("channel", "test", "main")
    assert good
    code, out, err = stage.shell("channel", "test", "refusing")
    assert code == 1 and "401" in out + err, (out, err)
    assert "sk-upstream-refused" not in out + err


def test_doctor(stage: Stage) -> None:
    code, out, err = stage.shell("doctor", "--json")
    assert code in (0, 1) and "Traceback" not in out + err
    assert "owner" in out, "there is no owner in this file"


def test_the_channel_is_shown_to_operators_only(stage: Stage) -> None:
    for stream in (False, True):
        assert stage.chat(stream=stream).headers.get("x-unigate-channel") is None
        shown = stage.post(body("hi", stream=stream), key="sk-olga-0123456789")
        assert shown.headers["x-unigate-channel"] == "main"


def test_the_books_agree_in_the_end(stage: Stage) -> None:
    stage.settled()
    stage.sound()
