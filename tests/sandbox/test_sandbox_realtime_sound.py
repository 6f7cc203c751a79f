"""Sound of the sandbox's realtime API: its formats are what their names say, and its length follows the text."""

import io
import wave
from array import array
from typing import Any

import av
import pytest

from unigate.sandbox.brain.sound import tone
from unigate.sandbox.forms import realtime_sound as sound

CODECS = {"audio/pcmu": "pcm_mulaw", "audio/pcma": "pcm_alaw"}


def decoded(data: bytes, codec: str) -> "array[int]":
    """G.711 as samples, by FFmpeg."""
    reader: Any = av.CodecContext.create(codec, "r")
    reader.sample_rate = 8000
    reader.layout = "mono"
    packet = av.Packet(data)
    found = array("h")
    for frame in reader.decode(packet):
        found.frombytes(bytes(frame.planes[0])[: frame.samples * 2])
    return found


@pytest.mark.parametrize("kind", list(CODECS))
def test_g711_is_what_decoders_take_it_for(kind: str) -> None:
    samples = array("h", range(-32768, 32767, 3))
    made = sound._narrow(samples.tobytes(), kind)
    meant = samples[::3]
    for found, was in zip(decoded(made, CODECS[kind]), meant, strict=True):
        assert abs(found - was) <= max(abs(was) * 0.04, 40)


@pytest.mark.parametrize("kind", list(sound.RATES))
def test_speech_is_as_long_as_its_text(kind: str) -> None:
    for tokens in (1, 7):
        data = sound.speech(tokens, kind, "coral")
        assert sound.milliseconds(data, kind) == tokens * sound.PER_TOKEN
        assert sound.speaks(data, kind)
    assert sound.speech(3, kind, "coral") != sound.speech(3, kind, "sage")


def test_pcm_opens_as_sound() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(sound.speech(5, "audio/pcm", "coral"))
    file.seek(0)
    with wave.open(file) as read:
        assert read.getnframes() == 24_000  # a second


def test_silence_is_nobody() -> None:
    assert not sound.speaks(bytes(4800), "audio/pcm")
    assert not sound.speaks(b"\xff\x7f" * 100, "audio/pcmu")
    assert not sound.speaks(b"\xd5\x55" * 100, "audio/pcma")
    assert sound.speaks(tone(100, 300), "audio/pcm")
    assert sound.transcript(999) == "Hello there this."
