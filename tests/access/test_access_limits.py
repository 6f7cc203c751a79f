"""Limits in the process: buckets, reservations, places, and what the caller is told."""

from collections.abc import Coroutine
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits_cases import SECOND, Clock, key

from unigate.access.limits import UNLIMITED, Admission, Bucket, Limits, duration
from unigate.base.errors import TooMany


def headers(admission: Admission) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in admission.headers()}


def refusal(limits: Limits, *args: Any) -> TooMany:
    with pytest.raises(TooMany) as caught:
        limits.admit(*args)
    return caught.value


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (20, "20ms"),
        (999, "999ms"),
        (1000, "1s"),
        (8640, "8.64s"),
        (59_001, "59.001s"),
        (60_000, "1m0s"),
        (360_000, "6m0s"),
        (3_630_500, "1h0m30.5s"),
        (90_000_000, "25h0m0s"),
    ],
)
def test_durations_are_written_as_openai_does(ms: int, text: str) -> None:
    assert duration(ms) == text


def test_a_key_without_limits_costs_nothing() -> None:
    limits = Limits(Clock())
    admission = limits.admit(key(), 10**9)
    assert admission is UNLIMITED and admission.headers() == () and len(limits.buckets) == 0
    admission.done(5)


def test_requests_per_minute() -> None:
    clock = Clock()
    limits = Limits(clock)
    three = key(rpm=3)
    assert headers(limits.admit(three, 50)) == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "20s",
    }
    clock.forward(0.5)
    limits.admit(three, 50)
    limits.admit(three, 50)
    error = refusal(limits, three, 50)
    assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", 19.5)
    told = dict(error.headers)
    assert told[b"retry-after-ms"] == b"19500" and told[b"x-ratelimit-remaining-requests"] == b"0"
    assert told[b"x-ratelimit-reset-requests"] == b"59.5s" and b"retry-after" not in told
    assert "3 requests per minute" in error.message and "19.5s" in error.message
    clock.forward(19.49)
    refusal(limits, three, 50)
    clock.forward(0.01)
    limits.admit(three, 50)
    refusal(limits, three, 50)


def test_tokens_are_reserved_and_corrected() -> None:
    clock = Clock()
    limits = Limits(clock)
    many = key(tpm=1000)
    first = limits.admit(many, 600)
    assert headers(first) == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "400",
        "x-ratelimit-reset-tokens": "36s",
    }
    error = refusal(limits, many, 500)
    assert error.retry_after == 6.0 and "1000 tokens per minute" in error.message
    first.done(100)
    first.done(0)
    second = limits.admit(many, 900)
    second.done(1500)
    assert refusal(limits, many, 1).retry_after == pytest.approx(36.06), "600 tokens of debt and one"
    clock.forward(36.1)
    limits.admit(many, 1).done()
    assert dict(refusal(limits, many, 50).headers)[b"x-ratelimit-remaining-tokens"] == b"0"


def test_what_needs_no_tokens_goes_ahead_though_there_is_debt() -> None:
    limits = Limits(Clock())
    limits.admit(key(tpm=10), 10).done(500)
    limits.admit(key(tpm=10), 0)
    refusal(limits, key(tpm=10), 1)


def test_an_estimate_above_the_limit_waits_for_a_full_bucket_only() -> None:
    clock = Clock()
    limits = Limits(clock)
    small = key(tpm=100)
    limits.admit(small, 5000).done(40)
    assert refusal(limits, small, 5000).retry_after == 24.0
    clock.forward(24)
    limits.admit(small, 5000)


def test_places_are_given_back_once() -> None:
    limits = Limits(Clock())
    two = key(concurrency=2)
    first, second = limits.admit(two, 0), limits.admit(two, 0)
    error = refusal(limits, two, 0)
    assert error.retry_after == 1.0 and "2 calls at once" in error.message
    first.done()
    first.done()
    assert limits.buckets.in_flight(two.id) == 1
    with pytest.raises(RuntimeError), second:
        raise RuntimeError
    assert limits.buckets.in_flight(two.id) == 0


def test_a_refused_call_takes_nothing() -> None:
    clock = Clock()
    limits = Limits(clock)
    strict = key(rpm=10, tpm=100, concurrency=1)
    first = limits.admit(strict, 40)
    before = headers(first)
    for _ in range(5):
        assert "calls at once" in refusal(limits, strict, 10).message
    assert "tokens" in refusal(limits, strict, 100).message, "the longest wait is named"
    first.done(40)
    after = headers(limits.admit(strict, 0))
    assert int(after["x-ratelimit-remaining-requests"]) == int(before["x-ratelimit-remaining-requests"]) - 1
    assert after["x-ratelimit-remaining-tokens"] == before["x-ratelimit-remaining-tokens"] == "60"


def test_a_call_that_lasts_uses_tokens_while_it_does() -> None:
    limits = Limits(Clock())
    lasting = limits.admit(key(tpm=100, concurrency=2), 0)
    limits.admit(key(tpm=100, concurrency=2), 60).done(60)
    lasting.used(50)
    with pytest.raises(TooMany, match="tokens per minute"):
        limits.admit(key(tpm=100, concurrency=2), 1)
    lasting.done(0)
    lasting.used(50)  # it is over
    assert limits.buckets.in_flight("key_1") == 0
    assert limits.buckets.admit("key_1", (0, 1000, 0), 890).refused == ""


def test_keys_do_not_share() -> None:
    limits = Limits(Clock())
    limits.admit(key("key_1", rpm=1), 0)
    limits.admit(key("key_2", rpm=1), 0)
    refusal(limits, key("key_1", rpm=1), 0)


def test_a_changed_limit_holds_at_once_and_what_was_used_stays_used() -> None:
    limits = Limits(Clock())
    for _ in range(8):
        limits.admit(key(rpm=10), 0)
    refusal(limits, key(rpm=5), 0)
    assert headers(limits.admit(key(rpm=20), 0))["x-ratelimit-remaining-requests"] == "11"
    assert limits.admit(key(), 0) is UNLIMITED
    held = limits.admit(key(concurrency=1), 0)
    limits.admit(key(rpm=20), 0)
    refusal(limits, key(concurrency=1), 0)
    held.done()
    limits.admit(key(concurrency=1), 0)


def test_keys_at_rest_are_forgotten() -> None:
    clock = Clock()
    limits = Limits(clock)
    held = limits.admit(key("held", concurrency=1), 0)
    for number in range(20_000):
        limits.admit(key(f"key_{number}", rpm=60), 0)
        clock.forward(0.01)
    assert len(limits.buckets) < 3000
    refusal(limits, key("held", concurrency=1), 0)
    held.done()
    limits.admit(key("held", concurrency=1), 0)


def test_a_share_is_at_least_one() -> None:
    limits = Limits(Clock(), share=4)
    third = key(rpm=9, concurrency=1)
    limits.admit(third, 0).done()
    limits.admit(third, 0).done()
    error = refusal(limits, third, 0)
    assert "2 requests per minute" in error.message


def test_the_shared_form_does_not_suspend() -> None:
    coroutine: Coroutine[Any, Any, Admission] = Limits(Clock()).take(key(rpm=1), 0)
    with pytest.raises(StopIteration) as finished:
        coroutine.send(None)
    assert isinstance(finished.value.value, Admission)


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "done"]), st.integers(0, 3 * SECOND), st.integers(0, 60), st.integers(0, 90)),
    max_size=60,
)


@given(rate=st.integers(1, 100), steps=STEPS)
def test_a_bucket_is_exact(rate: int, steps: list[tuple[str, int, int, int]]) -> None:
    """Against a model in fractions: nothing is lost to rounding, however long it runs."""
    now = 0
    bucket = Bucket(rate, now)
    level = Fraction(rate)
    for action, passed, amount, back in steps:
        now += passed
        level = min(Fraction(rate), level + Fraction(passed * rate, 60 * SECOND))
        wait = bucket.wait(amount, now)
        short = min(amount, rate) - level
        assert wait == (0 if short <= 0 else -(-short * 60 * SECOND // rate))
        if action == "take":
            bucket.take(amount)
            level -= amount
        else:
            bucket.take(-back)
            level = min(Fraction(rate), level + back)
        assert bucket.numbers()[1] == max(0, level // 1)


@given(
    rpm=st.integers(1, 30),
    tpm=st.integers(1, 300),
    steps=st.lists(st.tuples(st.floats(0, 4), st.integers(0, 100), st.integers(0, 100)), max_size=80),
)
def test_over_any_time_no_more_is_admitted_than_the_limits_allow(
    rpm: int, tpm: int, steps: list[tuple[float, int, int]]
) -> None:
    clock = Clock()
    limits = Limits(clock)
    began, calls, tokens = clock.at, 0, 0
    for passed, estimate, used in steps:
        clock.forward(passed)
        try:
            admission = limits.admit(key(rpm=rpm, tpm=tpm), estimate)
        except TooMany:
            continue
        admission.done(used)
        calls += 1
        tokens += used
        minutes = Fraction(clock.at - began, 60 * SECOND)
        assert calls <= rpm * (1 + minutes)
        if estimate:
            assert tokens - used < tpm * (1 + minutes), "a call is only admitted while there is no debt"
