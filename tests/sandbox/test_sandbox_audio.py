"""The sandbox speaks and hears: files are what they say, and what was said is heard again."""

import io

import av
import pytest

from support.sounds import looked, silence
from unigate.sandbox.forms import transcripts
from unigate.sandbox.media import listen, voice

TEXT = "Hello there. This is a long sentence with many words in it so that it has to be cut in two parts. 你好。"


@pytest.mark.parametrize("kind", [one for one in voice.FORMATS if one != "pcm"])
def test_each_format_holds_what_was_said(kind: voice.Format) -> None:
    samples = voice.speak(TEXT, "alloy", 1.0)
    sound = voice.encode(samples, kind, TEXT)
    codec, seconds, channels = looked(sound)
    assert channels == 1 and seconds == pytest.approx(len(samples) / 48_000, abs=0.15)
    assert codec.startswith("pcm" if kind == "wav" else kind)
    heard = listen.listen(sound)
    assert heard.text == TEXT
    assert heard.length_ms == pytest.approx(seconds * 1000, abs=1)


def test_the_length_follows_text_and_speed_and_voices_differ() -> None:
    usual = voice.speak(TEXT, "alloy", 1.0)
    assert len(voice.speak(TEXT, "alloy", 2.0)) == pytest.approx(len(usual) / 2, rel=0.05)
    assert len(voice.speak(TEXT * 2, "alloy", 1.0)) == pytest.approx(len(usual) * 2, rel=0.05)
    assert voice.speak(TEXT, "nova", 1.0) != usual == voice.speak(TEXT, "alloy", 1.0)
    assert any(usual), "it can be heard"


def test_foreign_sound_has_words_that_fit_its_length() -> None:
    heard = listen.listen(silence(10))
    assert heard == listen.listen(silence(10)) and heard.length_ms == 10_000
    assert 10 <= len(heard.words) <= 30 and heard.text.isascii()
    assert not listen.listen(silence(10), "zh").text.isascii()
    times = [at for word in heard.words for at in (word.start, word.end)]
    assert times == sorted(times) and times[-1] == 10_000


@pytest.mark.parametrize("data", [b"", b"no sound at all" * 50, silence(1)[:44]])
def test_what_is_no_sound(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        listen.listen(data)


def test_a_film_without_sound_is_none() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        file.mux(stream.encode(None))
    with pytest.raises(ValueError, match="no sound"):
        listen.listen(out.getvalue())


def test_segments_say_the_text_again_and_long_ones_are_cut() -> None:
    heard = listen.listen(voice.encode(voice.speak(TEXT, "alloy", 1.0), "flac", TEXT))
    parts = transcripts.segments(heard)
    assert "".join(part.text for part in parts) == TEXT and len(parts) == 4
    assert [part.start for part in parts] == sorted(part.start for part in parts)
    assert parts[-1].end <= heard.length_ms
    assert transcripts.srt(heard).count(" --> ") == transcripts.vtt(heard).count(" --> ") == 4
    assert [one["speaker"] for one in transcripts.speakers(heard, ())] == ["A", "B", "A", "B"]


def test_other_languages_become_english() -> None:
    chinese = listen.Heard(length_ms=2000, text="你好", words=())
    english = listen.in_english(chinese)
    assert english.text.isascii() and english.length_ms == 2000 and english.words
    assert listen.in_english(english) == english
