"""Suno's answers about clips, uploads and personas, and the envelope that relays of music and film share."""

import json
from typing import Any

import pytest

from unigate.base.errors import BadAnswer, ChannelOff, InvalidKey, NoChannel, NoFunds, NotFound, UpstreamRefused
from unigate.dialects import relay_tasks as relay
from unigate.dialects import suno, suno_goamz
from unigate.dialects import suno_things as things
from unigate.dialects.suno_view import version
from unigate.spec.operation import Operation
from unigate.spec.task import Made, Submission, Task

ROWS = {row.name.removeprefix("suno."): row for row in things.OPERATIONS}
TASK: dict[str, Any] = {
    "id": "t1",
    "called": "suno.music",
    "operation": "suno.music",
    "dialect": "suno",
    "user_id": "usr_1",
    "key_id": "key_1",
    "model": "suno",
    "state": "running",
}
CLIP = {"id": "c1", "handle": "someones", "display_name": "Someone", "user_id": "acc", "title": "t"}


def shown(row: Operation, told: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(things.show_thing(row, json.dumps(told).encode()))
    return found


@pytest.mark.parametrize("told", [{"wav_file_url": "u"}, {"code": "success", "data": {"wav_file_url": "u"}}])
def test_answers_come_plain_and_in_the_envelope(told: dict[str, Any]) -> None:
    wanted = {"code": "success", "message": "", "data": {"wav_file_url": "u"}, "wav_file_url": "u"}
    assert shown(ROWS["act.wav"], told) == wanted
    assert things.delivers(ROWS["act.wav"], json.dumps(told).encode())


@pytest.mark.parametrize("told", [{}, {"wav_file_url": ""}, {"code": "success", "data": "a-task", "message": ""}])
def test_a_file_that_is_being_made(told: dict[str, Any]) -> None:
    assert shown(ROWS["act.wav"], told)["wav_file_url"] == ""
    assert not things.delivers(ROWS["act.wav"], json.dumps(told).encode())


def test_a_film_stands_under_all_names() -> None:
    for name in ("video_url", "mp4_file_url", "mp4"):
        found = shown(ROWS["act.mp4"], {name: "u"})
        assert found["video_url"] == found["mp4_file_url"] == found["mp4"] == found["data"]["mp4"] == "u"
    assert not things.delivers(ROWS["act.mp4"], b"{}")
    assert not things.delivers(ROWS["act.midi"], b'{"state": "running"}')
    assert not things.delivers(ROWS["act.stems"], b'{"status": "processing", "clips": []}')


def test_whose_account_it_is_stays_here() -> None:
    told = {
        "id": "p1",
        "name": "Ada",
        "user_display_name": "Someone",
        "user_handle": "someones",
        "clip": CLIP,
        "persona_clips": [{"clip": CLIP}],
    }
    found = shown(ROWS["persona"], told)
    assert "ome" not in json.dumps(found) and found["data"] == {"id": "p1"}
    assert found["clip"] == {"id": "c1", "title": "t"} == found["persona_clips"][0]["clip"]
    assert "ome" not in json.dumps(shown(ROWS["act.stems"], {"clips": [CLIP]}))


@pytest.mark.parametrize(
    ("name", "told", "made"),
    [
        ("uploads.create", {"id": "u1", "url": "x"}, [Made(kind="suno_upload", id="u1")]),
        ("uploads.initialize", {"clip_id": "c1"}, [Made(kind="suno_clip", id="c1")]),
        ("uploads.initialize", {"code": "success", "data": {"clip_id": "c1"}}, [Made(kind="suno_clip", id="c1")]),
        ("persona", {"code": "success", "data": {"id": "p1"}}, [Made(kind="suno_persona", id="p1")]),
        ("act.stems", {"clips": [CLIP, {"id": "c2"}]}, [Made(kind="suno_clip", id=one) for one in ("c1", "c2")]),
        ("act.timing", {"aligned_words": []}, []),
    ],
)
def test_what_an_answer_names(name: str, told: dict[str, Any], made: list[Made]) -> None:
    assert things.made_things(ROWS[name], json.dumps(told).encode()) == (made or ())


@pytest.mark.parametrize("body", [b"{}", b'{"id": 7}', b'{"id": ""}'])
def test_an_answer_that_names_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        things.made_things(ROWS["uploads.create"], body)


@pytest.mark.parametrize(
    ("code", "status"),
    [("task_not_exist", 404), ("quota_not_enough", 402), ("internal_error", 500), ("invalid_request", 400)],
)
def test_a_refusal_that_comes_as_200(code: str, status: int) -> None:
    body = json.dumps({"code": code, "message": "no", "data": None}).encode()
    with pytest.raises(UpstreamRefused) as refused:
        things.check_answer(ROWS["act.wav"], body)
    assert refused.value.upstream_status == status == relay.adjusted(200 if status != 400 else 400, body)[0]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        relay.answered(body)
    assert relay.adjusted(502, body) == (502, body)


def test_errors_of_ours_and_of_vendors() -> None:
    funds = json.loads(relay.write_error(NoFunds(), "req_1"))
    assert (relay.error_status(NoFunds()), funds["code"], funds["data"]) == (403, "quota_not_enough", None)
    assert json.loads(relay.write_error(InvalidKey(), "req_1"))["error"]["type"] == "new_api_error"
    assert relay.error_status(NotFound(code="model_not_found")) == 503
    off = json.loads(relay.write_error(ChannelOff(), "req_1"))
    assert (relay.error_status(ChannelOff()), off["code"]) == (400, "task_channel_disable")
    assert relay.error_status(NoChannel()) == 503
    assert relay.error_status(UpstreamRefused(404)) == 400 and relay.error_status(UpstreamRefused(422)) == 422
    for body, message in (
        (b'{"message": "m"}', "m"),
        (b'{"error": {"message": "n"}}', "n"),
        (b'{"error": "o"}', "o"),
        (b'{"detail": "p"}', "p"),
        (b"oops", "The provider refused the request."),
    ):
        told = json.loads(relay.pass_error(400, body))
        assert (told["message"], told["error"]["message"], told["code"]) == (message, message, "invalid_request")
    assert json.loads(relay.pass_error(404, b""))["code"] == "task_not_exist"


def test_versions_of_models() -> None:
    assert [version(mv) for mv in ("chirp-v4-tau", "chirp-crow", "chirp-auk-upload", "chirp-of-tomorrow")] == [
        "v4",
        "v5",
        "v4.5",
        "",
    ]


@pytest.mark.parametrize(
    ("told", "percent"),
    [("30%", 30), ("7", 7), (55, 55), ("", None), (None, None), (True, None), ("x%", None), (300, 100)],
)
def test_percent(told: object, percent: int | None) -> None:
    assert relay.percent(told) == percent


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"code": 401, "message": "no such key"}, 401),
        ({"code": "429", "message": "slow down"}, 429),
        ({"code": 500, "message": "broken"}, 500),
        ({"code": "quota_not_enough"}, 402),
        ({"code": 7}, 400),
        ({"error": {"message": "too long"}}, 400),
        ({"error": "too long"}, 400),
        ({"success": False, "message": "too long"}, 400),
    ],
)
def test_a_refusal_that_comes_as_200_is_what_it_amounts_to(told: dict[str, Any], status: int) -> None:
    with pytest.raises(UpstreamRefused) as refused:
        relay.answered(json.dumps(told).encode())
    assert refused.value.upstream_status == status
    assert relay.answered(b'{"code": "success", "error": null, "data": 1}')["data"] == 1


def test_a_query_for_several_is_read_once_for_all_of_them() -> None:
    song, words = (Task(**{**TASK, "input": {"action": action}}) for action in ("MUSIC", "LYRICS"))
    for body, wanted in ((b'{"action": "lyrics"}', [False, True]), (b"{}", [True, True])):
        selected = suno.selects(body)
        assert [selected(song), selected(words)] == wanted
    with pytest.raises(relay.Refused):
        suno.selects(b'{"action": 7}')


@pytest.mark.parametrize(
    "body", [{"input": {"prompt": "x", "mv": "mv-crow "}}, {"mv": "mv-crow", "input": {"prompt": "x"}}]
)
def test_a_model_is_sent_as_it_is_priced(body: dict[str, Any]) -> None:
    (row,) = (one for one in suno_goamz.OPERATIONS if one.name == "suno_goamz.music")
    asked = Submission(operation=row, path="", query="", params={}, headers={}, body=json.dumps(body).encode())
    draft = suno_goamz.read_task(asked)
    assert draft.body["mv"] == draft.conditions["mv"] == "chirp-crow"


def test_a_gateway_asks_after_all_of_its_tasks_at_once() -> None:
    ids = [f"t{number}" for number in range(1000)]
    assert suno.read_ids(json.dumps({"ids": ids}).encode()) == ids
    with pytest.raises(relay.Refused, match="at most 1000"):
        suno.read_ids(json.dumps({"ids": [*ids, "one-more"]}).encode())


@pytest.mark.parametrize("name", ["notify_hook", "callback_url", "callBackUrl"])
def test_an_address_for_notices_goes_by_several_names(name: str) -> None:
    (row,) = (one for one in suno.OPERATIONS if one.name == "suno.submit")
    body = json.dumps({"clip_id": "c1", "notify_hook": "", name: "https://app.example/hook"}).encode()
    asked = Submission(operation=row, path="", query="", params={"action": "stems"}, headers={}, body=body)
    draft = suno.read_task(asked)
    assert draft.notify is not None and draft.notify.url == "https://app.example/hook"
    assert name not in draft.body
