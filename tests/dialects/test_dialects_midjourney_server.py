"""What Midjourney servers answer beside what the recorded cases show: answers that can't be read, and what they amount to."""

import json

import pytest

from unigate.base.errors import BadAnswer
from unigate.dialects import midjourney, midjourney_view

DEEP = b"[" * 100_000


def test_answers_that_are_too_deep_are_no_answers() -> None:
    assert json.loads(midjourney.pass_error(400, DEEP))["description"] == "提交失败"
    with pytest.raises(BadAnswer):
        midjourney_view.read(DEEP)
