"""Records as bytes: what is written is read, whatever happens to the bytes."""

from collections.abc import Callable

import msgspec
import pytest
from billing_cases import record
from billing_keeper import some
from hypothesis import given
from hypothesis import strategies as st

from unigate.billing.format import HEAD, LONGEST, NOTE_VERSION, VERSION, any_record, blank, decode, flaw_of, frame, read
from unigate.spec.record import Note, Record


def test_records_come_back_as_they_were() -> None:
    records = some(7)
    data = b"".join(frame(r) for r in records) + bytes(100)
    entries, end = read(data, 0, 500)
    assert [decode(entry) for entry in entries] == records
    assert end == len(data) - 100
    assert entries[-1].end == end
    assert blank(data, end)
    assert not any_record(data, end + 1)


def test_a_batch_ends_where_it_is_told_to() -> None:
    data = b"".join(frame(r) for r in some(5))
    entries, end = read(data, 0, 2)
    assert len(entries) == 2
    more, _ = read(data, end, 500)
    assert [decode(e).id for e in more] == ["req_2", "req_3", "req_4"]


def test_a_journal_cut_anywhere_gives_what_is_there_in_full() -> None:
    frames = [frame(r) for r in some(3)]
    ends = [sum(map(len, frames[: n + 1])) for n in range(3)]
    data = b"".join(frames)
    for cut in range(len(data) + 1):
        for tail in (b"", bytes(64)):
            entries, end = read(data[:cut] + tail, 0, 500)
            assert len(entries) == sum(1 for e in ends if e <= cut), cut
            assert end == max([e for e in ends if e <= cut], default=0)
            assert not any_record(data[:cut] + tail, end + 1), "a torn end is not damage"


def test_a_bit_that_flips_is_seen() -> None:
    frames = [frame(r) for r in some(3)]
    data = b"".join(frames)
    first, second = len(frames[0]), len(frames[0]) + len(frames[1])
    for place in range(len(data)):
        for bit in (1, 16, 128):
            broken = bytearray(data)
            broken[place] ^= bit
            entries, end = read(bytes(broken), 0, 500)
            intact = 0 if place < first else 1 if place < second else 2
            assert len(entries) == intact, (place, bit)
            assert [decode(e) for e in entries] == some(3)[:intact]
            assert any_record(bytes(broken), end + 1) == (intact < 2), "good records behind it: damage"


@given(st.binary(max_size=200), st.integers(0, 3))
def test_noise_is_no_record(noise: bytes, good: int) -> None:
    data = b"".join(frame(r) for r in some(good))
    entries, end = read(data + noise, 0, 500)
    assert [decode(e) for e in entries[:good]] == some(good)
    assert len(entries) == good
    assert end == len(data)


def test_a_record_of_another_version_is_told_apart_from_damage() -> None:
    data = bytearray(frame(some(1)[0]))
    body = bytes(data[HEAD:])
    from unigate.billing import format as form  # noqa: PLC0415 - its head is nobody else's business

    data[:HEAD] = form._HEAD.pack(form.MARK, VERSION + 2, 0, len(body), form._crc(VERSION + 2, body))
    entries, _ = read(bytes(data), 0, 500)
    with pytest.raises(ValueError, match=r"version 3"):
        decode(entries[0])


FLAWS: list[tuple[str, Callable[[Record], object]]] = [
    ("negative", lambda r: msgspec.structs.replace(r, cost=-1)),
    ("over the cost", lambda r: msgspec.structs.replace(r, cost=1, over=2)),
    ("huge", lambda r: msgspec.structs.replace(r, cost=10**15 + 1)),
    ("no hold", lambda r: msgspec.structs.replace(r, hold="")),
    ("no id", lambda r: msgspec.structs.replace(r, id="")),
    ("a day before days", lambda r: msgspec.structs.replace(r, day=-1)),
    ("a number that no column takes", lambda r: msgspec.structs.replace(r, at=2**63)),
    ("counts that no column takes", lambda r: msgspec.structs.replace(r, units={"input": 2**63})),
    ("a negative count", lambda r: msgspec.structs.replace(r, units={"input": -1})),
]


@pytest.mark.parametrize(("what", "change"), FLAWS)
def test_a_record_that_nobody_could_mean(what: str, change: Callable[[Record], Record]) -> None:
    good = record(5, hold="h")
    assert flaw_of(good) == ""
    bad = change(good)
    assert flaw_of(bad) != ""
    entries, _ = read(frame(bad), 0, 1)
    with pytest.raises(ValueError, match=r"."):
        decode(entries[0])


def test_a_lone_surrogate_costs_no_record() -> None:
    one = record(5, hold="h", id="req_1")
    one.model = "\ud800"
    one.units = {"\ud800": 1}
    entries, _ = read(frame(one), 0, 1)
    found = decode(entries[0])
    assert isinstance(found, Record)
    assert (found.id, found.model) == ("req_1", "?")


NOTE = Note(id="task_1", channel="ch_1", credential="crd_1", handle='{"job":"j0"}')
#: The same as bytes.
WRITTEN = "a755020020000000028ed70e94a67461736b5f31a463685f31a56372645f31ac7b226a6f62223a226a30227d"


def test_notes_stand_among_records_and_come_back_as_they_were() -> None:
    first, second = some(2)
    data = frame(first) + frame(NOTE) + frame(second) + bytes(50)
    entries, end = read(data, 0, 500)
    assert [entry.version for entry in entries] == [VERSION, NOTE_VERSION, VERSION]
    assert [decode(entry) for entry in entries] == [first, NOTE, second]
    assert end == len(data) - 50


def test_a_note_on_the_wire_is_version_2() -> None:
    """The form is kept: a process of an older version sets notes aside, and a newer one reads those that it finds."""
    assert frame(NOTE).hex() == WRITTEN
    (entry,), _ = read(bytes.fromhex(WRITTEN), 0, 1)
    assert decode(entry) == NOTE


@given(st.builds(Note, *[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)] * 4))
def test_any_note_is_read_as_it_was_written(note: Note) -> None:
    (entry,), _ = read(frame(note), 0, 1)
    assert decode(entry) == note


@pytest.mark.parametrize(
    "change",
    [{"id": ""}, {"handle": ""}, {"id": "task\0"}, {"channel": "\0"}, {"credential": "a\0b"}, {"handle": "{}\0"}],
)
def test_a_note_that_nobody_could_mean(change: dict[str, str]) -> None:
    (entry,), _ = read(frame(msgspec.structs.replace(NOTE, **change)), 0, 1)
    with pytest.raises(ValueError, match="a note of nothing"):
        decode(entry)


def test_a_note_is_no_record_and_a_record_no_note() -> None:
    (note,), _ = read(frame(NOTE), 0, 1)
    (one,), _ = read(frame(some(1)[0]), 0, 1)
    for entry, version in ((note, VERSION), (one, NOTE_VERSION)):
        with pytest.raises(ValueError, match=r"."):
            decode(type(entry)(version, entry.payload, entry.end))


def test_a_note_that_flips_a_bit_is_damage_and_a_torn_one_an_end() -> None:
    whole = frame(NOTE)
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1
        assert read(bytes(broken), 0, 1) == ([], 0)
        assert read(whole[:place] + bytes(len(whole)), 0, 1) == ([], 0)


def test_a_lone_surrogate_costs_no_note_and_a_long_one_is_refused() -> None:
    (entry,), _ = read(frame(msgspec.structs.replace(NOTE, handle="\ud800")), 0, 1)
    assert decode(entry) == msgspec.structs.replace(NOTE, handle="?")
    with pytest.raises(ValueError, match="a record of"):
        frame(msgspec.structs.replace(NOTE, handle="x" * LONGEST))
