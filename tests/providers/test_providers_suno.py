"""What servers of Suno are shown and asked beside tasks."""

import json

import pytest

from unigate.base.errors import BadAnswer, UpstreamRefused
from unigate.dialects import operations, suno_flat
from unigate.providers import catalogue
from unigate.spec.provider import Credential
from unigate.spec.task import Answered

GCUI, FEED, RELAY = (catalogue()[name] for name in ("suno_gcui", "suno_feed", "suno_relay"))
TIMING = next(row for row in operations() if row.name == "suno.act.timing")


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("a=1; __client=x", (b"cookie", b"a=1; __client=x")), ("anything", (b"authorization", b"Bearer anything"))],
)
def test_an_account_is_shown_by_its_cookie(secret: str, shown: tuple[bytes, bytes]) -> None:
    assert GCUI.probe is not None
    request = GCUI.task_request(GCUI.probe, Credential("crd_1", secret), {})
    assert request.headers == (shown,) and request.target == "/api/get_limit"


def test_the_timing_of_a_clip() -> None:
    values = {"id": "c/1"}
    request = GCUI.request(
        TIMING.upstream_path, TIMING.name, "suno", Credential("c", "s"), {}, method="GET", values=values
    )
    assert request.target == "/api/get_aligned_lyrics?song_id=c%2F1"
    answer = GCUI.translations[TIMING.name].answer
    words = [{"word": "Two", "start_s": 0.5}]
    assert json.loads(answer(json.dumps(words).encode(), b"", "req_1"))["aligned_words"] == words
    for bad in (b"{}", b"<html>", b'"x"'):
        with pytest.raises(BadAnswer):
            answer(bad, b"", "req_1")
    with pytest.raises(UpstreamRefused) as refused:
        answer(b'{"error": "no words"}', b"", "req_1")
    assert refused.value.upstream_status == 400


def test_who_serves_what_is_asked_of_clips() -> None:
    rows = [row for row in operations() if row.dialect == "suno_things"]
    assert [row.name for row in rows if GCUI.serves(row)] == [TIMING.name]
    assert not any(map(FEED.serves, rows)) and all(map(RELAY.serves, rows))


@pytest.mark.parametrize(("told", "length"), [("92.5", 92.5), (3, 3.0), (None, None), ("", None), ("nan", None)])
def test_lengths_may_be_texts(told: object, length: float | None) -> None:
    assert suno_flat.clip({"id": "c", "duration": told})["metadata"]["duration"] == length


def test_probes_read_what_comes() -> None:
    for provider in (GCUI, FEED):
        assert provider.read_probe is not None
        for good in (b"[]", b'{"credits_left": 5}'):
            provider.read_probe(Answered(status=200, body=good))
        with pytest.raises(BadAnswer):
            provider.read_probe(Answered(status=200, body=b"<html>"))
