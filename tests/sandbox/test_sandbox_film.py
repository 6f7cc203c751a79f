"""Films of the sandbox, opened and measured."""

import io
import itertools
import subprocess
import sys

import av
import pytest
from PIL import Image, ImageChops, ImageSequence, ImageStat

from unigate.sandbox.media.film import film


def frames(data: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(data), "r") as container:
        return [frame.to_image().convert("RGB") for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, 0 to 255 each channel, summed."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def test_an_mp4_is_a_film_that_browsers_play() -> None:
    data = film("a red fox", 320, 180, 2.5, seed=3, fps=10)
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (320, 180)
        assert (container.duration or 0) >= 2_500_000
    assert len(frames(data)) == 25
    assert data.index(b"moov") < data.index(b"mdat"), "it can't begin to play before it is there in whole"


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_its_frames_move(kind: str) -> None:
    shown = frames(film("a red fox", 160, 160, 1, seed=3, format="gif" if kind == "gif" else "mp4"))
    assert len(shown) >= 12
    assert all(difference(one, other) > 1 for one, other in itertools.pairwise(shown))
    assert difference(shown[0], shown[len(shown) // 2]) > 10


def test_a_gif_lasts_as_long_as_asked() -> None:
    with Image.open(io.BytesIO(film("a red fox", 128, 96, 1.5, seed=3, format="gif", fps=8))) as picture:
        assert picture.format == "GIF"
        assert picture.size == (128, 96)
        lengths = [frame.info["duration"] for frame in ImageSequence.Iterator(picture)]
    assert len(lengths) == 12
    assert sum(lengths) >= 1500


def test_the_same_film_is_the_same_and_others_are_not() -> None:
    made = film("a red fox", 64, 64, 0.5, seed=3)
    assert film("a red fox", 64, 64, 0.5, seed=3) == made
    others = film("a red fox", 64, 64, 0.5, seed=4), film("a blue whale", 64, 64, 0.5, seed=3)
    assert all(difference(frames(made)[0], frames(other)[0]) > 10 for other in others)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_it_begins_with_the_picture_that_was_given(mode: str) -> None:
    picture = Image.radial_gradient("L").convert("RGB").convert(mode)
    shown = frames(film("it turns", 256, 256, 1, seed=3, first=picture))
    assert difference(shown[0], picture.convert("RGB")) < 12
    assert difference(shown[6], shown[0]) > 5


def test_odd_sides_are_rounded_down_in_mp4_alone() -> None:
    assert frames(film("", 65, 33, 0.2, seed=1))[0].size == (64, 32)
    assert frames(film("", 65, 33, 0.2, seed=1, format="gif"))[0].size == (65, 33)


@pytest.mark.parametrize(
    ("width", "height", "seconds", "fps"),
    [(8, 64, 1, 8), (64, 9000, 1, 8), (64, 64, 0, 8), (64, 64, 999, 8), (64, 64, 1, 0)],
)
def test_what_makes_no_film_is_refused(width: int, height: int, seconds: float, fps: int) -> None:
    with pytest.raises(ValueError, match="no film"):
        film("", width, height, seconds, seed=1, fps=fps)


def test_neither_arrays_nor_films_are_loaded_before_they_are_needed() -> None:
    code = (
        "import sys; from unigate.sandbox.media.film import film; "
        "assert not {'av', 'PIL'} & sys.modules.keys(); "
        "film('', 64, 64, 0.5, seed=1); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
