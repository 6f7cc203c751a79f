"""Sounds of the tests: made, and looked into."""

import io
import wave

import av


def silence(seconds: float, rate: int = 16_000) -> bytes:
    """A WAV of a hum of so many seconds."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        count = round(seconds * rate)
        file.writeframes(b"".join((200 * (at % 50)).to_bytes(2, "little", signed=True) for at in range(count)))
    return out.getvalue()


def looked(sound: bytes) -> tuple[str, float, int]:
    """Codec, seconds (of what can be decoded) and channels of a sound."""
    with av.open(io.BytesIO(sound), "r") as file:
        stream = file.streams.audio[0]
        context = stream.codec_context
        samples = sum(frame.samples for frame in file.decode(stream) if isinstance(frame, av.AudioFrame))
        return context.name, samples / context.sample_rate, context.channels
