"""How long a sound lasts, read from its own packets: what a file's header claims is not believed.

Slow beside everything else in this folder: callers use it in a thread. It must not know what the length is for.
"""

from typing import BinaryIO

#: Containers that are opened: none that names other files or addresses, as playlists do.
FORMATS = "mp3,wav,w64,aiff,flac,ogg,aac,amr,mov,mp4,m4a,matroska,webm,mpeg,mpegts,caf"
#: Packets that are looked at; of a longer file the rest is taken to be like them.
MOST_PACKETS = 1_000_000
#: Reads and seeks that a file is worth, beside one for each so many bytes: a broken one could be searched for minutes.
STEPS = 20_000
STEP_BYTES = 4096
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": ""}


def milliseconds(file: BinaryIO, size: int, format: str | None = None) -> int | None:  # noqa: A002  (PyAV's word)
    """The length of a sound, rounded up; None where there is none that can be read.

    `size`: bytes of the file; `format`: PyAV's name of its container, where it is known.
    """
    import av  # noqa: PLC0415 - heavy, and few processes measure sounds

    try:
        with av.open(
            _Bounded(file, size), "r", format=format, options=_OPTIONS, io_open=_nothing, metadata_errors="replace"
        ) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            codec = stream.codec_context
            rate, frame, base = codec.sample_rate or 0, codec.frame_size or 0, stream.time_base
            packets, ticks, at = 0, 0, 0
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                packets += 1
                ticks += max(packet.duration or 0, 0)
                at = max(at, (packet.pos or 0) + packet.size)
                if packets == MOST_PACKETS:
                    break
    except (av.FFmpegError, ValueError, EOFError):
        return None
    told = -(-ticks * 1000 * base.numerator // base.denominator) if base else 0
    #: A container may claim that its packets are short; a codec's packets are as long as they are.
    least = -(-packets * frame * 1000 // rate) if rate else 0
    length = max(told, least)
    if packets == MOST_PACKETS and 0 < at < size:
        length = length * size // at
    return length or None


class _Bounded:
    """A file that ends where it has been read and sought too often."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = STEPS + size // STEP_BYTES

    def read(self, size: int) -> bytes:
        """As a file does."""
        self._left -= 1
        return self._file.read(size) if self._left > 0 else b""

    def seek(self, at: int, whence: int = 0) -> int:
        """As a file does."""
        self._left -= 1
        return self._file.seek(at, whence) if self._left > 0 else self._file.tell()

    def tell(self) -> int:
        """As a file does."""
        return self._file.tell()


def _nothing(url: str, flags: int, options: dict[str, str]) -> None:  # noqa: ARG001  (as PyAV calls it)
    """No file that another one names is opened."""
    raise ValueError("a sound that names other files")
