"""Speech and transcripts as dialects: what is read, what is held, what counts, event by event and cut at every byte."""

import base64
import io
import json
from dataclasses import replace

import pytest

from support.sounds import silence
from unigate.base.errors import BadAnswer, BadRequest, UpstreamRefused
from unigate.dialects import openai_sounds, openai_speech, openai_transcriptions, sound
from unigate.dialects.openai_body import Edits
from unigate.dialects.vendor_fields import without_stream
from unigate.providers.openai import PROVIDER
from unigate.spec.form import FilePart, Form, Part
from unigate.spec.usage import Usage
from unigate.store.spool import Spool

TOKENS = frozenset({"input", "audio_input", "output", "audio_output"})
TIME = frozenset({"milliseconds"})
CHARACTERS = frozenset({"characters"})


def speech(**more: object) -> bytes:
    return json.dumps({"model": "tts", "input": "Hello, world.", "voice": "alloy", **more}).encode()


def form(sound: bytes | None, **fields: str) -> Form:
    parts: list[Part | FilePart] = [Part(name=name, value=value.encode()) for name, value in fields.items()]
    if sound is not None:
        file = Spool().file()
        file.add(sound)
        parts.append(FilePart(name="file", filename="a.wav", media_type="audio/wav", size=len(sound), source=file))
    return Form(tuple(parts))


def heard(sound: bytes | None, **fields: str) -> openai_transcriptions.HeardFacts:
    """Facts of a call, measured."""
    asked = form(sound, model="whisper-1", **fields)
    facts = openai_transcriptions.read(asked)
    openai_transcriptions.measure(asked, facts)
    return facts


def test_what_is_read_of_a_call_for_speech() -> None:
    facts = openai_speech.read(speech(instructions="Softly.", speed=2, response_format="pcm", stream_format="sse"))
    assert (facts.model, facts.stream, facts.format, facts.characters) == ("tts", True, "pcm", 13)
    assert facts.units["characters"] == 13
    assert facts.likely_ms == 13 * 1000 // 15 // 2
    slow = openai_speech.read(speech(speed=0.25))
    assert slow.output_limit is not None and facts.output_limit is not None
    assert slow.output_limit > facts.output_limit > 0


@pytest.mark.parametrize("wrong", [{"input": 7}, {"input": None}, {"model": ""}])
def test_speech_without_text_or_model_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        openai_speech.read(speech(**wrong))


def test_a_speech_body_gets_no_options_of_chats() -> None:
    body = speech(stream_format="sse")
    facts = openai_speech.read(body)
    edited = openai_speech.edit(body, facts, Edits(model="real", ask_usage=True, output_limit=9))
    assert json.loads(edited) == {**json.loads(body), "model": "real"}


def test_whole_speech_counts_by_what_is_charged() -> None:
    facts = openai_speech.read(speech(response_format="pcm"))
    for charged, units in (
        (CHARACTERS, {"characters": 13}),
        (frozenset(), {"characters": 13}),
        (TIME, {"input": facts.text_tokens, "audio_output": 21, "milliseconds": 1000}),
        (TOKENS, {"input": facts.text_tokens, "audio_output": 21, "milliseconds": 1000}),
    ):
        watch = openai_speech.Raw(replace(facts, charged=charged), PROVIDER, b"audio/pcm")
        file = Spool().file()
        watch.feed(bytes(48_000))
        file.add(bytes(48_000))
        watch.finish()
        assert watch.measure is not None
        used = openai_speech.used(watch.facts, watch.measure(file), watch)
        assert used.units == units
        assert used.estimated is bool(charged & (TOKENS | TIME))


def test_speech_that_broke_counts_what_was_likely_said() -> None:
    facts = replace(openai_speech.read(speech(input="a" * 150, response_format="pcm")), charged=CHARACTERS)
    watch = openai_speech.Raw(facts, PROVIDER, b"audio/pcm")
    watch.feed(bytes(96_000))  # two seconds of ten
    assert openai_speech.used(facts, None, watch) == Usage({"characters": 30}, estimated=True)


def event(**told: object) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


SPOKEN = [
    event(type="speech.audio.delta", audio=base64.b64encode(bytes(4800)).decode()),
    event(type="speech.audio.delta", audio=base64.b64encode(bytes(4800)).decode()),
]
SPEECH_DONE = event(type="speech.audio.done", usage={"input_tokens": 4, "output_tokens": 20, "total_tokens": 24})


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_events_of_speech_cut_anywhere(size: int) -> None:
    facts = replace(openai_speech.read(speech(response_format="pcm", stream_format="sse")), charged=TOKENS)
    watch = openai_speech.Watch(facts, PROVIDER)
    whole = b"".join([*SPOKEN, SPEECH_DONE])
    out = b"".join(watch.feed(whole[at : at + size]) for at in range(0, len(whole), size))
    assert out == b"".join(SPOKEN) and watch.ending == SPEECH_DONE
    assert watch.done and watch.finished and watch.content and not watch.empty
    assert openai_speech.used(facts, watch.usage, watch) == Usage({"input": 4, "audio_output": 20})


def test_events_of_speech_that_broke_or_tell_nothing_are_counted() -> None:
    facts = replace(openai_speech.read(speech(response_format="pcm", stream_format="sse")), charged=TOKENS)
    watch = openai_speech.Watch(facts, PROVIDER)
    watch.feed(b"".join(SPOKEN))
    used = openai_speech.used(facts, None, watch)
    assert used.estimated and used.units["audio_output"] == 5  # 0.2 seconds
    assert watch.output_tokens == 4


def test_an_error_among_events_ends_the_stream() -> None:
    watch = openai_speech.Watch(openai_speech.read(speech()), PROVIDER)
    assert watch.feed(SPOKEN[0] + event(error={"message": "no"}) + SPOKEN[1]) == SPOKEN[0]
    assert watch.error is not None and not watch.done
    broken = openai_speech.Watch(openai_speech.read(speech()), PROVIDER)
    broken.feed(b"data: {broken\n\n")
    assert broken.error == b""


def test_the_cost_stands_in_the_last_event() -> None:
    facts = replace(openai_speech.read(speech(stream_format="sse")), charged=TOKENS)
    watch = openai_speech.Watch(facts, PROVIDER, cost=lambda usage: str(usage.units["audio_output"]))
    watch.feed(SPEECH_DONE)
    assert b'"cost":20' in watch.ending


def test_json_in_place_of_sound_is_no_answer() -> None:
    with pytest.raises(UpstreamRefused):
        openai_speech.read_answer(b'{"error": {"message": "out of order", "code": 503}}', PROVIDER)
    with pytest.raises(BadAnswer):
        openai_speech.read_answer(b'{"audio": "..."}', PROVIDER)


def test_the_length_of_a_file_bounds_the_call() -> None:
    facts = heard(silence(2.5))
    assert (facts.sound_ms, facts.sound_read) == (2500, True)
    assert facts.units == {"milliseconds": 4000}, "vendors count whole seconds, some the one begun"
    assert openai_transcriptions.input_bound(form(None, model="m", prompt="four"), facts) == 4 * 25 + 4 + 64


def test_a_file_that_nobody_can_read_is_held_by_its_size() -> None:
    facts = heard(b"x" * 3000)
    assert not facts.sound_read and facts.sound_ms == 750
    assert facts.units["milliseconds"] >= 3000 * 4 // 3
    counted = openai_transcriptions.used(replace(facts, charged=TIME), None, openai_transcriptions.Seen(None, False, 3))
    assert counted == Usage({"milliseconds": 750}, estimated=True)


def test_sound_that_is_named_and_not_sent_is_counted_by_its_text() -> None:
    facts = heard(None)
    assert facts.units["milliseconds"] >= 3_600_000
    seen = openai_transcriptions.Seen(None, False, 30)
    assert openai_transcriptions.used(replace(facts, charged=TIME), None, seen).units == {"milliseconds": 10_000}


def test_a_header_that_lies_changes_nothing() -> None:
    sound = bytearray(silence(3))
    sound[40:44] = (1 << 30).to_bytes(4, "little")
    assert heard(bytes(sound)).sound_ms == 3000


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n%b\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '%b'\n",
    ],
)
def test_files_that_name_others_are_not_followed(playlist: bytes, tmp_path: object) -> None:
    named = f"{tmp_path}/secret.wav"
    with open(named, "wb") as file:  # noqa: PTH123
        file.write(silence(3))
    assert not heard(playlist % named.encode()).sound_read


def test_more_than_one_file_or_none_of_a_model_is_refused() -> None:
    one = form(silence(1), model="whisper-1")
    with pytest.raises(BadRequest):
        openai_transcriptions.read(Form((*one.parts, one.parts[-1])))
    with pytest.raises(BadRequest):
        openai_transcriptions.read(form(silence(1)))


ANSWERS: list[tuple[bytes, dict[str, int] | None]] = [
    (b'{"text": "Hi.", "usage": {"type": "duration", "seconds": 3}}', {"milliseconds": 3000}),
    (b'{"text": "Hi.", "duration": 8.470000267028809}', {"milliseconds": 8471}),
    (b'{"text": "Hi.", "duration": "8.47"}', {"milliseconds": 8470}),
    (
        (
            b'{"text": "Hi.", "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": '
            b'{"text_tokens": 10, "audio_tokens": 4}, "output_tokens": 101, "total_tokens": 115}}'
        ),
        {"input": 10, "audio_input": 4, "output": 101},
    ),
    (
        b'{"text": "Hi.", "usage": {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635}}',
        {"milliseconds": 203_000, "input": 4, "output": 635},
    ),
    (b'{"text": "Hi."}', None),
    (b'{"text": "Hi.", "usage": {"type": "duration", "seconds": -3}}', None),
    (b"Just words.\n", None),
]


@pytest.mark.parametrize(("body", "units"), ANSWERS)
def test_usage_as_vendors_tell_it(body: bytes, units: dict[str, int] | None) -> None:
    seen = openai_transcriptions.read_answer(body, PROVIDER)
    assert not seen.empty and seen.output_tokens > 0
    assert (seen.usage.units if seen.usage is not None else None) == units


@pytest.mark.parametrize("body", [b"", b"{broken", b'{"words": []}', b"<!DOCTYPE html><html>", b"\n<html>"])
def test_what_is_no_transcript(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        openai_transcriptions.read_answer(body, PROVIDER)


def test_an_error_in_a_good_status_is_a_refusal_and_silence_is_free() -> None:
    with pytest.raises(UpstreamRefused):
        openai_transcriptions.read_answer(b'{"error": {"message": "no"}}', PROVIDER)
    assert openai_transcriptions.read_answer(b'{"text": ""}', PROVIDER).empty
    assert openai_transcriptions.read_answer(b"\n", PROVIDER).empty


def test_what_is_told_counts_where_it_is_charged_else_what_was_measured() -> None:
    facts = replace(heard(silence(2.5), prompt="About cats."), charged=TIME)
    seen = openai_transcriptions.Seen(None, False, 7)
    tokens = Usage({"input": 1, "audio_input": 25, "output": 9})
    used = openai_transcriptions.used
    assert used(facts, Usage({"milliseconds": 3000}), seen) == Usage({"milliseconds": 3000})
    assert used(facts, tokens, seen) == Usage({**tokens.units, "milliseconds": 2500})
    assert used(facts, None, seen) == Usage({"milliseconds": 2500})
    by_tokens = replace(facts, charged=TOKENS)
    assert used(by_tokens, tokens, seen) == tokens
    counted = used(by_tokens, None, seen)
    assert counted.estimated and counted.units == {"input": facts.text_tokens, "audio_input": 25, "output": 7}
    told = used(by_tokens, Usage({"milliseconds": 3000}), seen)
    assert told.estimated and told.units["audio_input"] == 30


def test_the_cost_stands_in_json_only() -> None:
    assert json.loads(openai_transcriptions.add_cost(b'{"text": "Hi."}', "0.1"))["usage"] == {"cost": 0.1}
    assert openai_transcriptions.add_cost(b"1\n00:00:00,000", "0.1") == b"1\n00:00:00,000"


def test_events_of_a_transcript_of_other_vendors_too() -> None:
    facts = replace(heard(silence(1)), charged=TOKENS)
    watch = openai_transcriptions.Watch(facts, PROVIDER)
    opening = event(type="transcription.language", audio_language="en") + event(
        type="transcription.text.delta", text=" Hi"
    )
    last = event(
        type="transcription.done",
        text=" Hi",
        usage={"prompt_audio_seconds": 1, "prompt_tokens": 4, "completion_tokens": 2},
    )
    assert watch.feed(opening + last) == opening
    assert watch.ending == last and watch.content
    assert watch.usage == Usage({"milliseconds": 1000, "input": 4, "output": 2})


def test_streams_that_a_model_cannot_give_are_left_out_and_named() -> None:
    asked = form(silence(1), model="whisper-1", stream="true")
    left, ignored = PROVIDER.adjust_form(asked, {})
    assert ignored == ("stream",) and left.named("stream") == () and left.files() == asked.files()
    kept, said = PROVIDER.adjust_form(asked.with_value("model", b"gpt-4o-transcribe"), {})
    assert said == () and kept.named("stream")
    assert without_stream("")(asked.with_value("model", b"any"), {})[1] == ("stream",)


def test_seconds_that_are_none() -> None:
    wrongs: tuple[object, ...] = (None, "soon", True, -1, float("nan"), 1e300, [])
    for wrong in wrongs:
        assert openai_sounds.milliseconds(wrong) is None
    assert openai_sounds.milliseconds(0.1) == 100
    assert io.BytesIO(silence(0.1)).read(4) == b"RIFF"


def test_a_file_that_would_be_searched_for_minutes_is_given_up() -> None:
    file = io.BytesIO(silence(1) + bytes(8 << 20))  # a million empty chunks behind the sound
    steps = []
    file_seek = file.seek

    class Counted(io.BytesIO):
        def seek(self, at: int, whence: int = 0) -> int:
            steps.append(at)
            return file_seek(at, whence)

        def read(self, size: int | None = -1) -> bytes:
            steps.append(0)
            return file.read(size)

        def tell(self) -> int:
            return file.tell()

    assert sound.milliseconds(Counted(), 8 << 20) is None
    assert len(steps) <= sound.STEPS + (8 << 20) // sound.STEP_BYTES
