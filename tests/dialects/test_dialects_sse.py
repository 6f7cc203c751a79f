"""Cutting a stream of bytes into events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import StreamBroken
from unigate.dialects import sse

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from([b"data: {}", b"data:x", b": note", b"event: error", b"id: 1", b"data", b"data:  two", b"odd"])


def events_of(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = sse.Splitter()
    found = [event for piece in pieces for event in splitter.feed(piece)]
    return found, splitter.rest()


@given(ENDS, st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5), st.data())
def test_events_are_the_same_in_every_cut(end: bytes, blocks: list[list[bytes]], data: st.DataObject) -> None:
    text = b"".join(end.join(lines) + end + end for lines in blocks)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    found, rest = events_of(pieces)
    assert rest == b""
    assert found == [end.join(lines) + end + end for lines in blocks]


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"\x00", b"\n").replace(b"\x01", b"\r")), st.integers(1, 9))
def test_no_byte_is_lost(raw: bytes, size: int) -> None:
    found, rest = events_of([raw[at : at + size] for at in range(0, len(raw), size)])
    assert b"".join(found) + rest == raw


def test_a_complete_event_is_given_at_once() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2") == [b"data: 1\n\n"]
    assert splitter.held == b"data: 2"
    assert splitter.feed(b"\n") == []
    assert splitter.feed(b"\n") == [b"data: 2\n\n"]
    assert splitter.feed(b"data: 3\r\r") == [b"data: 3\r\r"]


def test_an_event_may_not_grow_without_end() -> None:
    splitter = sse.Splitter(limit=100)
    assert splitter.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(StreamBroken):
        splitter.feed(b"x" * 10)


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (b"data: 1\n\n", (b"", b"1")),
        (b"data:1\ndata: 2\n\n", (b"", b"1\n2")),
        (b"event: error\r\ndata: x\r\n\r\n", (b"error", b"x")),
        (b": only a note\n\n", (b"", None)),
        (b"data\n\n", (b"", b"")),
        (b"\xef\xbb\xbfdata: 1\n\n", (b"", b"1")),
        (b"id: 7\rdata:  spaced\r\r", (b"", b" spaced")),
        (b"data: cut", (b"", b"cut")),
    ],
)
def test_an_event_is_read_as_the_standard_says(event: bytes, wanted: tuple[bytes, bytes | None]) -> None:
    assert sse.parse(event) == wanted


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (b"data: 1\n\n", b"data: NEW\n\n"),
        (b"id: 1\r\ndata:1\r\ndata:2\r\n: c\r\n\r\n", b"id: 1\r\ndata:NEW\r\n: c\r\n\r\n"),
        (b"\xef\xbb\xbfdata: 1\n\n", b"\xef\xbb\xbfdata: NEW\n\n"),
        (b"data: 1", b"data: NEW"),
    ],
)
def test_new_data_leaves_the_other_lines(event: bytes, wanted: bytes) -> None:
    assert sse.with_data(event, b"NEW") == wanted
