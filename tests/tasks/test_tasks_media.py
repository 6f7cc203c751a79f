"""Types of files by their first bytes: as real encoders write them, cut short, and of what is none of them."""

import io
import wave
from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.gallery import picture
from unigate.tasks.media import SNIFFED, UNKNOWN, ending, fits, media_type, plain, sniff


def film(form: str, codec: str) -> bytes:
    """A few frames in a container."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def sound(form: str, codec: str, sample: str) -> bytes:
    """A little silence in a container."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=44100)
        frame = av.AudioFrame(sample, "stereo", 1152)
        frame.sample_rate, frame.pts = 44100, 0
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def pulse() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("ICO", "image/x-icon"),
        ("AVIF", "image/avif"),
    ],
)
def test_pictures(kind: str, found: str) -> None:
    assert sniff(picture(kind)[:SNIFFED]) == found


@pytest.mark.parametrize(
    ("form", "codec", "found"),
    [
        ("mp4", "mpeg4", "video/mp4"),
        ("mov", "mpeg4", "video/quicktime"),
        ("webm", "libvpx", "video/webm"),
        ("matroska", "mpeg4", "video/x-matroska"),
        ("avi", "mpeg4", "video/x-msvideo"),
    ],
)
def test_films(form: str, codec: str, found: str) -> None:
    assert sniff(film(form, codec)[:SNIFFED]) == found


@pytest.mark.parametrize(
    ("form", "codec", "sample", "found"),
    [
        ("mp3", "libmp3lame", "fltp", "audio/mpeg"),
        ("adts", "aac", "fltp", "audio/aac"),
        ("ipod", "aac", "fltp", "audio/mp4"),
        ("flac", "flac", "s16", "audio/flac"),
    ],
)
def test_sounds(form: str, codec: str, sample: str, found: str) -> None:
    assert sniff(sound(form, codec, sample)[:SNIFFED]) == found


def test_waves_and_frames_without_a_tag() -> None:
    assert sniff(pulse()) == "audio/wav"
    tagged = sound("mp3", "libmp3lame", "fltp")
    frame = tagged.index(b"\xff\xfb")
    assert sniff(tagged[frame:]) == "audio/mpeg"


@pytest.mark.parametrize(
    ("begin", "found"),
    [
        (b"<!DOCTYPE html><html>", "text/html"),
        (b"  \r\n<HTML>", "text/html"),
        (b'<?xml version="1.0"?><svg xmlns="x">', "image/svg+xml"),
        (b"\xef\xbb\xbf<svg>", "image/svg+xml"),
        (b'{"error": "expired"}', "text/plain"),
        ("页面".encode() * 200, "text/plain"),
        (b"%PDF-1.7", "application/pdf"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"\x00\x01\x02\x03", ""),
        (b"", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_what_stands_at_the_beginning(begin: bytes, found: str) -> None:
    assert sniff(begin) == found


@pytest.mark.parametrize(
    ("begin", "said", "told", "url", "found"),
    [
        (picture("PNG"), "image/jpeg", "image/webp", "https://x/a.gif", "image/png"),
        (b"\x00\x01", "Video/MP4; codecs=x", "", "", "video/mp4"),
        (b"\x00\x01", "application/octet-stream", "audio/mpeg", "", "audio/mpeg"),
        (b"\x00\x01", "", "", "https://x/a.mp3?sig=1", "audio/mpeg"),
        (b"\x00\x01", "nonsense", "", "https://x/a", UNKNOWN),
        (b"1\n00:00 --> 00:01\n", "text/vtt", "", "", "text/vtt"),
        (b"plain words", "binary/octet-stream", "", "https://x/a", "text/plain"),
        (b"<html>", "image/png", "image/png", "https://x/a.png", "text/html"),
    ],
)
def test_the_bytes_count_most(begin: bytes, said: str, told: str, url: str, found: str) -> None:
    assert media_type(begin, said, told=told, url=url) == found


def test_endings() -> None:
    assert [ending(kind) for kind in ("image/jpeg", "video/mp4", "audio/mpeg", "image/svg+xml")] == [
        "jpg",
        "mp4",
        "mp3",
        "svg",
    ]
    assert ending("", "https://x/a.WEBP?x=1") == "webp"
    assert ending(UNKNOWN, "https://x/a.tar.gz") == "gz"
    assert ending("", "https://x/a.%2e%2fetc") == ending("", "data:x/y,a.png") == ending("", "http://[a.png") == "bin"


def test_only_media_fit_where_media_are_expected() -> None:
    assert fits("image", "image/png") and fits("video", "image/gif") and fits("image", UNKNOWN)
    assert not fits("image", "text/html") and not fits("audio", "application/json")
    assert fits("text", "text/plain") and fits("file", "application/zip")


@given(st.binary(max_size=600), st.text(max_size=60), st.text(max_size=60))
def test_nothing_makes_it_fail(begin: bytes, said: str, told: str) -> None:
    found = media_type(begin, said, told=told, url="https://" + told)
    assert plain(found) == found
    assert ending(found).isalnum()
