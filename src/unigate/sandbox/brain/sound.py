"""Makes a short tone and measures sounds that were sent, without decoding them."""

import array
import io
import math
import sys
import wave

#: Samples per second of what we make: 16 bits, mono.
RATE = 24_000
#: Bytes per millisecond that we assume of compressed sound (128 kbit/s).
_COMPRESSED = 16


def tone(ms: int, hertz: int) -> bytes:
    """A tone as signed 16-bit little-endian samples at RATE, fading in and out."""
    total = RATE * ms // 1000
    edge = max(1, total // 10)
    turn = 2 * math.pi * hertz / RATE
    samples = array.array(
        "h", (int(9000 * min(1.0, i / edge, (total - i) / edge) * math.sin(turn * i)) for i in range(total))
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def wav(samples: bytes) -> bytes:
    """Samples of `tone` as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    return out.getvalue()


def measure(data: bytes, kind: str) -> int | None:
    """Length in milliseconds: exact for WAV, estimated for others; None for a WAV that is none."""
    if kind != "wav":
        return max(1, len(data) // _COMPRESSED)
    try:
        with wave.open(io.BytesIO(data)) as file:
            return int(file.getnframes() * 1000 // file.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
