"""The failure table, row by row, and what the caller gets in the end."""

import json

import pytest
from routing_cases import CHAT, World, channel

from unigate.base.errors import (
    BadAnswer,
    StreamBroken,
    TookTooLong,
    Unreachable,
    UpstreamError,
    UpstreamRefused,
)
from unigate.routing.failures import EMPTY, TABLE, final, parked_for, read_retry_after, row_of


def refused(status: int, code: str | None = None, *, kind: str = "x", after: float | None = None) -> UpstreamRefused:
    body = json.dumps({"error": {"message": "secret sk-1234", "code": code, "type": kind}}).encode()
    return UpstreamRefused(status, body, retry_after=after)


#: failure -> row, next, blames, parks, passes through
ROWS: list[tuple[UpstreamError, str, str, bool, str, bool]] = [
    (Unreachable(), "unreachable", "channel", True, "nothing", False),
    (TookTooLong(), "timeout", "channel", True, "nothing", False),
    (BadAnswer(), "bad_answer", "channel", True, "nothing", False),
    (BadAnswer(code=EMPTY), "empty_answer", "channel", True, "nothing", False),
    (StreamBroken(), "broken_off", "channel", True, "nothing", False),
    (refused(400), "rejected", "nothing", False, "nothing", True),
    (refused(401), "credential_refused", "credential", False, "credential", False),
    (refused(402), "payment_required", "credential", False, "credential", False),
    (refused(403), "forbidden", "credential", False, "credential", False),
    (refused(404), "rejected", "nothing", False, "nothing", True),
    (refused(407), "proxy_refused", "channel", True, "nothing", False),
    (refused(408), "upstream_timeout", "channel", True, "nothing", False),
    (refused(409), "rejected", "nothing", False, "nothing", True),
    (refused(413), "rejected", "nothing", False, "nothing", True),
    (refused(422), "rejected", "nothing", False, "nothing", True),
    (refused(429), "rate_limited", "credential", False, "credential", False),
    (refused(429, "insufficient_quota"), "no_quota", "credential", False, "credential", False),
    (refused(429, kind="insufficient_quota"), "no_quota", "credential", False, "credential", False),
    (refused(400, "billing_hard_limit_reached"), "no_quota", "credential", False, "credential", False),
    (refused(404, "insufficient_quota"), "rejected", "nothing", False, "nothing", True),
    (refused(500), "server_error", "channel", True, "nothing", False),
    (refused(502), "server_error", "channel", True, "nothing", False),
    (refused(503), "overloaded", "channel", True, "channel", False),
    (refused(504), "upstream_timeout", "channel", True, "nothing", False),
    (refused(529), "overloaded", "channel", True, "channel", False),
    (refused(599), "server_error", "channel", True, "nothing", False),
    (refused(302), "odd_status", "channel", True, "nothing", False),
    (UpstreamError(), "other", "channel", True, "nothing", False),
]


@pytest.mark.parametrize(
    "case", ROWS, ids=[f"{getattr(row[0], 'upstream_status', type(row[0]).__name__)}-{row[1]}" for row in ROWS]
)
def test_row(case: tuple[UpstreamError, str, str, bool, str, bool]) -> None:
    row = row_of(case[0])
    assert (row.name, row.next, row.blames, row.parks, row.passes_through) == case[1:]


def test_each_row_is_tested() -> None:
    assert {row.name for row in TABLE} == {case[1] for case in ROWS}


@pytest.mark.parametrize("failure", [case[0] for case in ROWS])
def test_the_verdict_does_what_the_row_says(failure: UpstreamError) -> None:
    """Two channels of two credentials: which is offered next, and what stays parked for the next call."""
    world = World(channel("a", credentials=2, priority=1), channel("b"), draw=0.0)
    tried = world.router.routes("m", "default", CHAT)
    assert tried[0].take()
    verdict = world.router.failed(tried[0], failure)
    row = row_of(failure)
    assert verdict.row is row
    assert verdict.try_next == (row.next != "nothing") and not (verdict.try_next and verdict.passes_through)
    assert (verdict.pause > 0) == row.backoff
    following = next((c.credential.id for c in tried[1:] if c.take()), None)
    first, second = tried[0].credential.id, tried[1].credential.id
    assert {first, second} == {"a-0", "a-1"}
    if row.next == "channel":
        assert following == "b-0"
    elif row.next == "credential":
        assert following == second
    health = world.router.health["a"]
    parked = {c.credential.id for c in health.credentials if c.parked}
    assert parked == ({first} if row.parks == "credential" else set())
    assert not health.parked and health.in_flight == (0 if row.next == "channel" else 1)
    assert (health.bad, health.failures) == ((1.0, 1) if row.blames else (0.0, 0))


def test_a_body_that_is_no_json_has_no_code() -> None:
    for body in (b"insufficient_quota", b'"insufficient_quota"', b'{"error": "insufficient_quota"}', b"\xff\xfe", b""):
        assert row_of(UpstreamRefused(429, body)).name == "rate_limited"


def test_quoted_text_of_a_caller_is_not_a_code() -> None:
    body = json.dumps({"error": {"message": 'you wrote "insufficient_quota"', "code": "rate"}}).encode()
    assert row_of(UpstreamRefused(429, body)).name == "rate_limited"


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 1.0), (7.5, 7.5), (100_000.0, 3600.0), (0.0, 1.0), (-3.0, 1.0), (float("nan"), 1.0)]
)
def test_retry_after_of_429_is_heeded_within_bounds(asked: float | None, seconds: float) -> None:
    assert parked_for(row_of(refused(429)), asked, 0) == seconds


def test_pauses_grow_up_to_the_rows_longest() -> None:
    row = row_of(refused(401))
    assert [parked_for(row, None, level) for level in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert parked_for(row, None, 10**9) == 3600
    assert parked_for(row, 1.0, 0) == 60, "a vendor's Retry-After says nothing about a refused credential"


def test_overload_parks_only_as_long_as_the_vendor_says() -> None:
    row = row_of(refused(503))
    assert (parked_for(row, None, 3), parked_for(row, 5.0, 0), parked_for(row, 600.0, 0)) == (0.0, 5.0, 60.0)


@pytest.mark.parametrize(
    ("value", "ms", "seconds"),
    [
        (b"3", None, 3.0),
        (b"1.5", None, 1.5),
        (b"3", b"250", 0.25),
        (None, b"250", 0.25),
        (b"3", b"soon", 3.0),
        (b"Thu, 01 Jan 1970 00:01:40 GMT", None, 90.0),
        (b"Thu, 01 Jan 1970 00:00:01 GMT", None, None),
        (b"99999999", None, 3600.0),
        (b"0", None, None),
        (b"-5", None, None),
        (b"nan", None, None),
        (b"never", None, None),
        (b"\xff", None, None),
        (None, None, None),
    ],
)
def test_retry_after_header(value: bytes | None, ms: bytes | None, seconds: float | None) -> None:
    assert read_retry_after(value, ms, 10_000) == seconds


@pytest.mark.parametrize(
    ("failures", "status", "code"),
    [
        ([Unreachable()], 502, "upstream_error"),
        ([BadAnswer()], 502, "upstream_error"),
        ([Unreachable(), BadAnswer()], 502, "upstream_error"),
        ([StreamBroken()], 502, "upstream_error"),
        ([TookTooLong()], 504, "upstream_timeout"),
        ([TookTooLong(), Unreachable()], 504, "upstream_timeout"),
        ([refused(504)], 504, "upstream_timeout"),
        ([refused(429), refused(429)], 429, "rate_limit_exceeded"),
        ([refused(429), refused(500)], 503, "no_channel_available"),
        ([refused(500)], 503, "no_channel_available"),
        ([refused(401)], 503, "no_channel_available"),
        ([refused(402), Unreachable()], 503, "no_channel_available"),
        ([refused(403)], 503, "no_channel_available"),
        ([refused(429, "insufficient_quota")], 503, "no_channel_available"),
        ([], 503, "no_channel_available"),
    ],
)
def test_final(failures: list[UpstreamError], status: int, code: str) -> None:
    error = final(failures)
    assert (error.status, error.code) == (status, code)
    assert "sk-1234" not in error.message + error.detail


def test_final_429_has_the_shortest_wait() -> None:
    assert final([refused(429, after=9.0), refused(429, after=4.0), refused(429)]).retry_after == 4.0
    assert final([refused(429)]).retry_after == 1.0
    assert final([refused(500), refused(429, after=4.0)]).retry_after == 4.0
    assert final([refused(500)]).retry_after is None


@pytest.mark.parametrize("status", range(300, 600))
def test_a_credential_problem_is_never_the_callers(status: int) -> None:
    failure = refused(status)
    if not row_of(failure).passes_through:
        assert final([failure]).status in (429, 502, 503, 504)
    else:
        assert status not in (401, 402, 403, 407)


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
def test_a_refusal_of_no_call_of_a_model_leaves_channel_and_credential_as_they_are(status: int) -> None:
    world = World(channel("a", priority=1), channel("b"))
    for _ in range(9):
        tried = world.router.routes("m", "default", CHAT)
        assert tried[0].take()
        failure = UpstreamRefused(status, b'{"error": {"code": "insufficient_quota"}}', retry_after=30, aside=True)
        verdict = world.router.failed(tried[0], failure)
        assert (verdict.row, verdict.parked) == (row_of(failure), 0.0)
        assert not tried[0].taken and tried[1].take()
        tried[1].done()
    health = world.router.health["a"]
    assert health.clear and not health.failures and not health.bad
    assert world.told() == []
    assert world.names() == ["a-0", "b-0"]


def test_a_refusal_of_no_call_of_a_model_proves_nothing_either() -> None:
    world = World(channel("a"))
    for _ in range(5):
        (candidate,) = world.router.routes("m", "default", CHAT)
        candidate.take()
        world.router.failed(candidate, Unreachable())
    world.clock.at += 2
    (candidate,) = world.router.routes("m", "default", CHAT)
    assert candidate.take() and candidate.probes
    world.router.failed(candidate, UpstreamRefused(404, aside=True))
    assert world.router.health["a"].parked
