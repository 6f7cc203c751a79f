"""The size of pictures by their first bytes, as a library writes them."""

import io
import random

import pytest
from PIL import Image

from unigate.base.picture_size import picture_size

NOISE = Image.frombytes("RGB", (300, 41), random.Random(7).randbytes(300 * 41 * 3))


def written(kind: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    NOISE.convert(mode).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "RGBA", {}),
        ("GIF", "P", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {"comment": b"x" * 2000}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"exif": b"Exif\0\0II*\0"}),
    ],
)
def test_sizes(kind: str, mode: str, options: dict[str, object]) -> None:
    content = written(kind, mode, **options)
    assert picture_size(content[:4096]) == (300, 41)
    assert picture_size(content) == (300, 41)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_a_beginning_that_does_not_tell(kind: str) -> None:
    content = written(kind)
    for end in range(24 if kind != "GIF" else 10):
        assert picture_size(content[:end]) in {None, (300, 41)}


@pytest.mark.parametrize(
    "content", [b"", b"<svg/>", b"RIFF1234WEBPVP9 " + bytes(30), b"\xff\xd8" + bytes(40), b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_such_picture(content: bytes) -> None:
    assert picture_size(content) is None
