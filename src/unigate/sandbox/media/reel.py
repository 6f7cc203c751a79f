"""Writes and reads film files: pictures in H.264, sound in AAC, in mp4. It knows nothing of what they show, and blocks."""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from unigate.sandbox.media import waves
from unigate.sandbox.media.listen import OPENED
from unigate.sandbox.media.music_ear import decoded
from unigate.sandbox.media.voice import RATE, feed
from unigate.sandbox.media.waves import Samples

if TYPE_CHECKING:
    from PIL.Image import Image

#: Encoders by preference; the second is what builds without H.264 have.
_ENCODERS = ("libx264", "mpeg4")
#: The most frames of a film that are read.
_MOST = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """A film, whose pictures are made one by one when they are wanted, as all of them take much room."""

    #: Gives the pictures, from the first on, as often as it is called.
    frames: "Callable[[], Iterator[Image]]"
    #: How many there are, and how many are shown a second.
    count: int
    fps: int
    #: Width and height in pixels.
    size: tuple[int, int]
    #: As long as the pictures are shown; None where it is silent.
    sound: Samples | None = None

    @property
    def seconds(self) -> float:
        """How long it is shown."""
        return self.count / self.fps

    def picture(self, number: int) -> "Image":
        """One of its pictures; -1 is the last."""
        return next(islice(self.frames(), number % self.count, None))

    def heard(self) -> Samples:
        """Its sound, or silence of its length."""
        return waves.silence(self.count * RATE // self.fps) if self.sound is None else self.sound

    def file(self) -> bytes:
        """The film as an mp4 file; sides are rounded down to even numbers."""
        size = self.size[0] - self.size[0] % 2, self.size[1] - self.size[1] % 2
        return mp4((frame.crop((0, 0, *size)) for frame in self.frames()), size, self.fps, self.sound)


def mp4(frames: "Iterable[Image]", size: tuple[int, int], fps: int, sound: Samples | None = None) -> bytes:
    """Pictures of an even size, so many a second, as a film; sound that is longer is cut, with a short fade."""
    import av  # noqa: PLC0415 - heavy, and few processes make films

    with tempfile.TemporaryDirectory() as folder:  # to put the index first, the muxer must read again what it wrote
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
            stream = out.add_stream(_encoder(), rate=fps)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "26"}
            stream.codec_context.thread_count = 1
            heard = None if sound is None else out.add_stream("aac", rate=RATE)
            if heard is not None:
                assert isinstance(heard, av.AudioStream)
                heard.layout = "mono"
                heard.codec_context.thread_count = 1
            count = 0
            for picture in frames:
                out.mux(stream.encode(av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
                count += 1
            out.mux(stream.encode(None))
            if heard is not None and sound is not None:
                feed(out, heard, waves.packed(fitted(sound, min(len(sound), count * RATE // fps))))
        return path.read_bytes()


def fitted(sound: Samples, size: int) -> Samples:
    """The sound in so many samples: cut with a fade, or with silence behind it."""
    if len(sound) > size:
        return waves.edged(sound[:size], 0)
    return sound + waves.silence(size - len(sound))


def _encoder() -> str:
    """The best encoder that this build has."""
    import av  # noqa: PLC0415 - heavy, and few processes make films

    return next(name for name in _ENCODERS if name in av.codecs_available)


def opened(data: bytes) -> Reel:
    """The film in a file; ValueError where there is none, or a very long one."""
    import av  # noqa: PLC0415 - heavy, and few processes make films

    try:
        with av.open(io.BytesIO(data), "r", options=OPENED, metadata_errors="replace") as file:
            if not file.streams.video:
                raise ValueError("there is no film in it")
            stream = file.streams.video[0]
            fps = max(1, min(60, round(stream.average_rate or 12)))
            size = stream.codec_context.width, stream.codec_context.height
            count = sum(1 for _ in islice(file.decode(stream), _MOST + 1))
            silent = not file.streams.audio
    except av.FFmpegError as error:
        raise ValueError(str(error)) from None
    if not 0 < count <= _MOST:
        raise ValueError("the film is too long" if count else "there is no film in it")
    sound = None if silent else fitted(decoded(data), count * RATE // fps)
    return Reel(frames=lambda: _frames(data), count=count, fps=fps, size=size, sound=sound)


def _frames(data: bytes) -> "Iterator[Image]":
    import av  # noqa: PLC0415 - heavy, and few processes make films

    with av.open(io.BytesIO(data), "r", options=OPENED, metadata_errors="replace") as file:
        for frame in file.decode(file.streams.video[0]):
            yield frame.to_image()  # type: ignore[no-untyped-call]
