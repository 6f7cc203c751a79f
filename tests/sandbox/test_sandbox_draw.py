"""Pictures: of the right size, always the same, as different as what was asked; and what is done with them."""

import base64
import io

import pytest
from PIL import Image, ImageChops, ImageStat

from unigate.sandbox.media import lettering
from unigate.sandbox.media.draw import PictureFormat, blurred, decode, draw, encode, grid, quarter

#: One pixel, clear.
CLEAR = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def differing(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are apart, 0..255 on average."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


@pytest.mark.parametrize(("width", "height"), [(512, 512), (1360, 768), (64, 200), (16, 16), (1, 1)])
def test_a_picture_has_its_size(width: int, height: int) -> None:
    image = draw("a fox in the snow", width, height, seed=1)
    assert image.size == (width, height)
    assert image.mode == "RGB"


def test_the_same_is_the_same_and_other_things_differ() -> None:
    image = draw("a fox", 256, 256, seed=1)
    assert differing(image, draw("a fox", 256, 256, seed=1)) == 0
    assert differing(image, draw("a fox", 256, 256, seed=2)) > 5
    assert differing(image, draw("an owl", 256, 256, seed=1)) > 5
    assert 0 < differing(image, draw("a fox", 256, 256, seed=1, frame=1)) < 20
    assert differing(image, draw("a fox [[fault:500,first:1]]", 256, 256, seed=1)) == 0, "markers are not drawn"


@pytest.mark.parametrize("prompt", ["", "猫在花园里玩耍 with a 🐱", "word " * 300, "x" * 2000, "\n\t ", "é ß ñ"])
def test_any_text_can_be_drawn(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = draw(prompt, 200, 120, seed=4)
    assert image.size == (200, 120)
    monkeypatch.setattr(lettering, "write", lambda *_: None)
    wordless = draw(prompt, 200, 120, seed=4)
    assert (differing(image, wordless) > 1) is bool(prompt.strip())
    half = (0, 0, 200, 40)
    assert differing(image.crop(half), wordless.crop(half)) == 0, "it stands at the foot"


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_files(kind: PictureFormat) -> None:
    image = draw("a fox", 120, 80, seed=1)
    data = encode(image, kind)
    assert Image.open(io.BytesIO(data)).format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[kind]
    again = decode(data)
    assert again.size == image.size
    assert differing(image, again) < (0.01 if kind == "png" else 6)


def test_quality_counts() -> None:
    image = draw("a fox", 400, 300, seed=1)
    assert len(encode(image, "jpg", 20)) < len(encode(image, "jpg", 95))


def test_transparency_is_kept() -> None:
    assert decode(CLEAR).mode == "RGBA"
    assert decode(encode(draw("", 8, 8, seed=1), "png")).mode == "RGB"


@pytest.mark.parametrize("data", [b"", b"hello", CLEAR[:40], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM" + bytes(60)])
def test_no_picture(data: bytes) -> None:
    with pytest.raises(ValueError, match="picture"):
        decode(data)


def test_a_picture_that_is_too_large() -> None:
    out = io.BytesIO()
    Image.new("1", (8193, 1)).save(out, "PNG")
    with pytest.raises(ValueError, match="too large"):
        decode(out.getvalue())


def test_four_in_a_grid() -> None:
    images = [draw("a fox", 90, 60, seed=seed) for seed in range(4)]
    joined = grid(images)
    assert joined.size == (180, 120)
    for number, image in enumerate(images, 1):
        assert differing(quarter(joined, number), image) == 0


def test_a_picture_comes_out_of_the_mist() -> None:
    image = draw("a fox", 256, 256, seed=1)
    early, later = (differing(blurred(image, share), image) for share in (0.25, 0.75))
    assert early > later > 0
    assert blurred(image, 0.5).size == image.size
