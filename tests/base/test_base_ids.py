"""Public ids: when they were made stands in them."""

import pytest

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.id_times import made_at


def test_an_id_tells_when_it_was_made() -> None:
    before = now_ms()
    made = made_at(ids.new("req"))
    assert before <= made <= now_ms()


@pytest.mark.parametrize("other", ["", "req_", "req_of_the_case", "abc", "req_01J9Zu"])
def test_other_ids_tell_nothing(other: str) -> None:
    assert made_at(other) == 0
