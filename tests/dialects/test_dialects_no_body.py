"""What callers say with nothing, or with null, is what they leave out."""

import json

import pytest

from unigate.base.errors import BadRequest, GatewayError
from unigate.dialects import luma, luma_relay, midjourney, suno, suno_goamz, suno_v1, task_dialect, udio
from unigate.spec.operation import Operation
from unigate.spec.task import Submission

MAKES = [
    row
    for table in (luma, luma_relay, midjourney, suno, suno_goamz, suno_v1, udio)
    for row in table.OPERATIONS
    if row.use == "task"
]


def asked(row: Operation, body: bytes) -> Submission:
    params = {"id": "t1", "action": "music"}
    return Submission(operation=row, path=row.path, query="", params=params, headers={}, body=body)


@pytest.mark.parametrize("row", MAKES, ids=lambda row: row.name)
def test_a_body_without_a_byte_is_refused_as_a_bad_request(row: Operation) -> None:
    with pytest.raises(GatewayError) as refused:
        task_dialect(row.dialect).read_task(asked(row, b""))
    assert refused.value.status == 400


def test_null_says_nothing_of_a_song() -> None:
    (row,) = (one for one in udio.OPERATIONS if one.name == "udio.music")
    told = {
        "prompt": "rain",
        "lyrics": None,
        "lyrics_type": None,
        "model_type": None,
        "seed": None,
        "song_section_start": None,
        "config": {"mode": None, "context_length": None, "source": None},
    }
    draft = udio.read_task(asked(row, json.dumps({"gen_params": told}).encode()))
    assert (draft.model, draft.conditions["mode"]) == ("udio32-v1.5", "regular")
    assert draft.body["gen_params"] == {"prompt": "rain", "config": {}}
    with pytest.raises(BadRequest, match="config"):
        udio.read_task(asked(row, json.dumps({"gen_params": {**told, "config": 5}}).encode()))
