"""Sound of the realtime API: its three formats, speech as tones whose length follows the text, and who speaks when."""

import sys
from array import array
from functools import lru_cache

from unigate.sandbox.brain import sound

#: Format -> bytes per second. PCM is of 16 bits at 24 kHz, G.711 of 8 bits at 8 kHz.
RATES = {"audio/pcm": 48_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
#: By which names the beta knows them.
BETA = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
#: Milliseconds that one token of text takes to say.
PER_TOKEN = 200
#: Samples below this are silence, and bytes of G.711 that are.
_QUIET = 300
_SILENT = {"audio/pcmu": frozenset({0xFF, 0x7F, 0xFE, 0x7E}), "audio/pcma": frozenset({0xD5, 0x55, 0xD4, 0x54})}
_STEP = 3
_BIAS, _CLIP = 0x84, 32_635


def milliseconds(data: bytes, kind: str) -> int:
    """The length of sound."""
    return len(data) * 1000 // RATES[kind]


def speech(tokens: int, kind: str, voice: str) -> bytes:
    """So many tokens said: a tone for each, whose pitch is the voice's."""
    pitch = 180 + sum(voice.encode()) % 240
    return b"".join(_said(pitch + 20 * (at % 3), kind) for at in range(tokens))


@lru_cache(maxsize=64)
def _said(hertz: int, kind: str) -> bytes:
    samples = sound.tone(PER_TOKEN, hertz)
    return samples if kind == "audio/pcm" else _narrow(samples, kind)


def _narrow(samples: bytes, kind: str) -> bytes:
    """Samples at 24 kHz as G.711 at 8 kHz."""
    made = array("h", samples)
    if sys.byteorder == "big":
        made.byteswap()
    write = _ulaw if kind == "audio/pcmu" else _alaw
    return bytes(write(sample) for sample in made[::_STEP])


def _ulaw(sample: int) -> int:
    """One sample in mu-law (ITU-T G.711)."""
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), _CLIP) + _BIAS
    exponent = max(size.bit_length() - 8, 0)
    return ~(sign | exponent << 4 | size >> exponent + 3 & 0x0F) & 0xFF


def _alaw(sample: int) -> int:
    """One sample in A-law (ITU-T G.711)."""
    mask, size = (0xD5, sample >> 3) if sample >= 0 else (0x55, ~sample >> 3)
    segment = max(size.bit_length() - 5, 0)
    return (segment << 4 | size >> max(segment, 1) & 0x0F) ^ mask


def speaks(data: bytes, kind: str) -> bool:
    """Whether somebody speaks in a piece of sound, rather than nobody."""
    if kind == "audio/pcm":
        samples = array("h", data[: len(data) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        return any(abs(sample) > _QUIET for sample in samples)
    return any(byte not in _SILENT[kind] for byte in data)


def transcript(ms: int) -> str:
    """What was heard in so much sound: a word for each third of a second."""
    words = ("Hello", "there", "this", "is", "what", "I", "wanted", "to", "say", "today")
    return " ".join(words[at % len(words)] for at in range(max(1, ms // 333))) + "."
