"""What is read of realtime events: usage in units that do not overlap, sessions of both forms, and how long a conversation is."""

import json
from typing import Any

import msgspec
import pytest

from unigate.base.errors import NoFunds
from unigate.dialects import openai_realtime as spoken
from unigate.dialects import openai_realtime_events as events
from unigate.dialects.openai_realtime_context import Context
from unigate.spec.usage import Usage


def usage(total: int, output: int, given: dict[str, Any] | None = None, said: dict[str, Any] | None = None) -> Any:
    return {
        "input_tokens": total,
        "output_tokens": output,
        "input_token_details": given or {},
        "output_token_details": said or {},
    }


@pytest.mark.parametrize(
    ("told", "units"),
    [
        (usage(132, 121, {"text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64, "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0}}, {"text_tokens": 30, "audio_tokens": 91}),
         {"input": 55, "cached_input": 64, "audio_input": 13, "output": 30, "audio_output": 91}),
        # Parts that are larger than what they are parts of.
        (usage(127, 148, {"cached_tokens": 384, "text_tokens": 119, "audio_tokens": 8, "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 256}}, {"text_tokens": 36, "audio_tokens": 112}),
         {"input": 0, "cached_input": 119, "cached_audio_input": 8, "output": 36, "audio_output": 112}),
        (usage(100, 5, {"audio_tokens": 20, "image_tokens": 30, "cached_tokens": 60}),
         {"input": 0, "cached_input": 50, "audio_input": 10, "cached_audio_input": 10, "image_input": 30, "output": 5}),
        (usage(100, 5, {"image_tokens": 30, "cached_tokens_details": {"image_tokens": 10}}),
         {"input": 70, "image_input": 20, "cached_image_input": 10, "output": 5}),
        (usage(7, 0), {"input": 7, "output": 0}),
        (usage(10, 4, {"audio_tokens": -3, "cached_tokens": "x"}, {"audio_tokens": 99}), {"input": 10, "output": 0, "audio_output": 4}),
    ],
)  # fmt: skip
def test_usage_of_a_response(told: Any, units: dict[str, int]) -> None:
    found = events.read_usage(told)
    assert found is not None and found.units == units
    assert found.tokens == told["input_tokens"] + told["output_tokens"]


@pytest.mark.parametrize("told", [None, {}, [], {"input_tokens": 5}, usage(-1, 5), usage(1 << 50, 5)])
def test_what_tells_nothing_is_no_usage(told: Any) -> None:
    assert events.read_usage(told) is None


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_usage_of_a_transcription() -> None:
    assert events.read_transcription_usage(raw({"type": "duration", "seconds": 3.21})) == Usage({"milliseconds": 3210})
    by_tokens = {"type": "tokens", "input_tokens": 13, "output_tokens": 9, "input_token_details": {"audio_tokens": 13}}
    assert events.read_transcription_usage(raw(by_tokens)) == Usage({"input": 0, "audio_input": 13, "output": 9})
    for bad in ({"type": "duration", "seconds": -1}, {"type": "duration", "seconds": "3"}, None, {}):
        assert events.read_transcription_usage(raw(bad)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"x"', b'{"type": 7}', b"\xff", b"[" * 9000])
def test_what_is_no_event_is_nobodys(data: bytes) -> None:
    assert events.read_vendor(data) is None
    assert events.read_caller(data) is None


def test_sessions_of_both_forms() -> None:
    now = {"model": "m", "prompt": {"id": "p"}, "audio": {"input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "w"}}, "output": {"format": {"type": "audio/pcm"}}}}  # fmt: skip
    assert events.read_session(raw(now)) == events.SessionFacts(
        model="m", transcription="w", input_rate=events.G711, output_rate=events.PCM, prompt=True
    )
    beta = {"input_audio_transcription": {"model": "w"}, "output_audio_format": "g711_alaw"}
    assert events.read_session(raw(beta)) == events.SessionFacts(transcription="w", output_rate=events.G711)
    assert events.read_session(raw({"audio": {"input": {"transcription": None}}})).transcription == ""
    assert events.read_session(raw(7)) == events.SessionFacts()


def test_models_are_renamed_in_both_forms() -> None:
    event = {"type": "session.update", "event_id": "x", "session": {"model": "a", "voice": "coral", "audio": {"input": {"transcription": {"model": "b", "language": "de"}}}}}  # fmt: skip
    made = json.loads(events.with_models(json.dumps(event).encode(), "A", "B"))
    assert made["session"]["model"] == "A" and made["session"]["voice"] == "coral"
    assert made["session"]["audio"]["input"]["transcription"] == {"model": "B", "language": "de"}
    beta = {"type": "session.update", "session": {"input_audio_transcription": {"model": "b"}}}
    assert json.loads(events.with_models(json.dumps(beta).encode(), None, "B"))["session"] == {
        "input_audio_transcription": {"model": "B"}
    }


def caller(**event: object) -> events.CallerEvent:
    found = events.read_caller(json.dumps(event).encode())
    assert found is not None
    return found


def test_a_conversation_is_never_taken_for_shorter_than_it_is() -> None:
    context = Context()
    for text in ("hello", "你好" * 2000, "a" * 5000):
        before = context.most
        part = {"type": "input_text", "text": text}
        context.asked(caller(type="conversation.item.create", item={"type": "message", "content": [part]}))
        assert context.most - before >= len(text.encode())
    before = context.most
    context.asked(caller(type="input_audio_buffer.append", audio="A" * 64_000))  # a second
    assert context.most - before >= 10
    assert context.committed() == 1001 and context.committed() == 0  # the quotes count, too
    picture = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000}
    before = context.most
    context.asked(caller(type="conversation.item.create", item={"type": "message", "content": [picture]}))
    assert 1000 < context.most - before < 5000


def test_what_a_response_tells_goes_before_what_was_counted() -> None:
    context = Context()
    context.asked(caller(type="session.update", session={"instructions": "x" * 9000 + " y"}))
    context.began()
    context.asked(caller(type="conversation.item.create", item={"content": [{"text": "meanwhile"}]}))
    added = context.most - 9000
    context.answered(Usage({"input": 100, "audio_input": 20, "output": 30, "audio_output": 50}), output_in_it=True)
    assert 200 < context.most <= 200 + added
    assert (context.text, context.heard) == (130, 70)
    before = context.most
    context.answered(Usage({"input": 5, "output": 5}), output_in_it=False)  # beside the conversation
    assert context.most == before
    assert context.estimated(7, 64_000).units == {"input": 130, "audio_input": 70, "output": 7, "audio_output": 20}


def configured(context: Context, **session: object) -> None:
    """The vendor tells how the session is."""
    event = events.read_vendor(json.dumps({"type": "session.updated", "session": session}).encode())
    assert event is not None
    context.configured(event, events.read_session(event.session))


TEXT = frozenset({"input", "cached_input", "output"})
SPOKEN = TEXT | {"audio_output"}
HEARD = frozenset({"audio_input", "cached_audio_input"})
SEEN = frozenset({"image_input", "cached_image_input"})


def test_units_are_those_that_can_come_up() -> None:
    context = Context()
    assert context.units == SPOKEN
    for session in ({"output_modalities": ["text"]}, {"modalities": ["text"]}):
        configured(context, **session)
        assert context.units == TEXT
    configured(context, modalities=["text", "audio"])
    assert context.units == SPOKEN
    configured(context, output_modalities=["text"])
    context.asked(caller(type="response.create", response={"instructions": "Be short."}))
    assert context.units == TEXT
    context.answered(Usage({"input": 5, "output": 5}), output_in_it=True)
    assert context.units == TEXT
    context.asked(caller(type="response.create", response={"output_modalities": ["audio"]}))
    assert context.units == SPOKEN
    context.answered(Usage({"input": 5, "output": 5, "audio_output": 9}), output_in_it=True)
    assert context.units == SPOKEN | HEARD  # what was said is read again


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, TEXT | HEARD),
        (
            {"type": "conversation.item.create", "item": {"content": [{"type": "input_audio", "audio": "AAAA"}]}},
            TEXT | HEARD,
        ),
        (
            {"type": "conversation.item.create", "item": {"content": [{"type": "input_image", "image_url": "x"}]}},
            TEXT | SEEN,
        ),
        ({"type": "response.create", "response": {"input": [{"content": [{"audio": "AAAA"}]}]}}, TEXT | HEARD),
        ({"type": "response.create", "response": {"modalities": "all"}}, SPOKEN),
        ({"type": "conversation.item.create", "item": {"content": [{"type": "input_text", "text": "audio"}]}}, TEXT),
    ],
)
def test_what_callers_add_brings_its_units(asked: dict[str, object], units: frozenset[str]) -> None:
    context = Context()
    configured(context, output_modalities=["text"])
    context.asked(caller(**asked))
    assert context.units == units


def test_a_prompt_of_the_vendors_may_hold_anything() -> None:
    context = Context()
    configured(context, output_modalities=["text"], prompt={"id": "pmpt_1"})
    assert context.units == SPOKEN | HEARD | SEEN


def test_deltas_are_counted() -> None:
    def read(**event: object) -> events.VendorEvent:
        found = events.read_vendor(json.dumps(event).encode())
        assert found is not None
        return found

    for name in ("response.output_audio.delta", "response.audio.delta"):
        assert (read(type=name, delta="A" * 640).sound, read(type=name, delta="A").words) == (640, 0)
    for name in ("response.output_text.delta", "response.text.delta", "response.function_call_arguments.delta"):
        assert (read(type=name, delta=" hello").words, read(type=name, delta="").words) == (1, 0)
    assert read(type="response.done").words == read(type="response.done").sound == 0


def test_an_error_is_an_event_in_the_vendors_form() -> None:
    told = json.loads(spoken.error_event(NoFunds(), "req_1", "event_1", "mine"))
    assert told["type"] == "error" and told["event_id"] == "event_1"
    assert told["error"] == {
        "type": "insufficient_quota",
        "code": "insufficient_quota",
        "message": NoFunds().message,
        "param": None,
        "event_id": "mine",
    }
    assert json.loads(spoken.error_event(NoFunds(), "", "event_1", 7))["error"]["event_id"] is None
