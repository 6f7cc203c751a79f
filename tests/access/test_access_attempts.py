"""Failed attempts: for each name, for each address, over time, and many at once."""

from collections.abc import Iterable

import pytest

from unigate.access.attempts import Attempts
from unigate.base.errors import BadRequest, InvalidKey, TooMany


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(clock, by_address=5, by_name=3, seconds=60)


def fail(attempts: Attempts, address: str, name: str, *, error: type[Exception] = InvalidKey) -> str:
    """Try and fail; what was said."""
    try:
        with attempts.attempt(address, name):
            raise error
    except TooMany as refused:
        return f"wait {refused.retry_after or 0:g}"
    except error:
        return "failed"


def failed(told: Iterable[str]) -> int:
    return list(told).count("failed")


def test_a_name_is_guessed_at_a_few_times_from_wherever(attempts: Attempts) -> None:
    assert failed(fail(attempts, f"10.0.0.{n}", "alice") for n in range(6)) == 3
    assert fail(attempts, "10.0.1.1", "ALICE") == "wait 20"
    assert fail(attempts, "10.0.1.1", "bob") == "failed"


def test_an_address_guesses_a_few_times_whatever_the_name(attempts: Attempts) -> None:
    assert failed(fail(attempts, "10.0.0.1", f"user {n}") for n in range(9)) == 5
    assert fail(attempts, "10.0.0.1", "another") == "wait 12"
    assert fail(attempts, "10.0.0.2", "another") == "failed"


def test_time_forgives_one_after_the_other(attempts: Attempts, clock: Clock) -> None:
    assert failed(fail(attempts, "10.0.0.1", "alice") for _ in range(4)) == 3
    clock.now += 19.9
    assert fail(attempts, "10.0.0.1", "alice").startswith("wait")
    clock.now += 0.2
    assert fail(attempts, "10.0.0.1", "alice") == "failed"
    assert fail(attempts, "10.0.0.1", "alice").startswith("wait")
    clock.now += 600
    assert failed(fail(attempts, "10.0.0.1", "alice") for _ in range(4)) == 3


def test_what_was_right_or_not_judged_does_not_count(attempts: Attempts) -> None:
    for _ in range(20):
        with attempts.attempt("10.0.0.1", "alice"):
            pass
        assert fail(attempts, "10.0.0.1", "alice", error=ZeroDivisionError) == "failed"
    assert failed(fail(attempts, "10.0.0.1", "alice", error=BadRequest) for _ in range(4)) == 3


def test_many_at_once_get_no_further(attempts: Attempts) -> None:
    begun = []
    for _ in range(10):
        one = attempts.attempt("10.0.0.1", "alice")
        try:
            one.__enter__()
        except TooMany:
            continue
        begun.append(one)
    assert len(begun) == 3
    for one in begun:
        one.__exit__(None, None, None)
    assert failed(fail(attempts, "10.0.0.1", "alice") for _ in range(4)) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("not an address", "neither", False),
    ],
)
def test_what_one_caller_has_of_addresses_counts_as_one(
    attempts: Attempts, one: str, other: str, *, same: bool
) -> None:
    for n in range(5):
        fail(attempts, one, f"user {n}")
    assert (fail(attempts, other, "another") != "failed") is same


def test_what_is_remembered_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unigate.access.attempts._REMEMBERED", 10)
    attempts = Attempts(clock)
    for n in range(100):
        fail(attempts, f"10.0.0.{n}", f"user {n}")
    assert len(attempts._failures) == 10
