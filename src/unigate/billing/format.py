"""The form of a journal: records one after the other in a segment that was made of zeros.

A record is 12 bytes of head (the mark 0xA7 0x55, version, a zero, length, CRC-32 of version, length and payload; little
endian) and its payload in MessagePack: a Record in version 1, a Note in version 2. What cannot be read is told apart: nothing written yet, a record that is
not there in full, and damage before good records. Must not touch a file.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec

from unigate.base.money import MAX_AMOUNT
from unigate.spec.record import Note, Record

VERSION = 1
#: What a Note is written as; whoever does not know it yet sets it aside.
NOTE_VERSION = 2
#: The longest payload; a record has some 300 bytes, and a trail of attempts is bounded.
LONGEST = 1 << 20
MARK = b"\xa7\x55"
_HEAD = Struct("<2sBBII")
_SEED = Struct("<BI")
HEAD = _HEAD.size
_ZEROS = bytes(HEAD)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
_note_decoder = msgspec.msgpack.Decoder(Note)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One record's payload and the offset just behind it."""

    version: int
    payload: bytes
    end: int


def frame(record: Record | Note) -> bytes:
    """A record or a note as it goes into the journal. ValueError where it is too long."""
    version = VERSION if isinstance(record, Record) else NOTE_VERSION
    try:
        payload = _encoder.encode(record)
    except UnicodeEncodeError:
        payload = _encoder.encode(_sound(record))
    if len(payload) > LONGEST:
        raise ValueError(f"a record of {len(payload)} bytes")
    return _HEAD.pack(MARK, version, 0, len(payload), _crc(version, payload)) + payload


def read(data: bytes, start: int, most: int) -> tuple[list[Entry], int]:
    """Up to `most` records of `data` from offset `start`, and the offset behind the last of them."""
    entries: list[Entry] = []
    place = start
    while len(entries) < most:
        entry = _entry(data, place)
        if entry is None:
            break
        entries.append(entry)
        place = entry.end
    return entries, place


def blank(data: bytes, place: int) -> bool:
    """Whether nothing was written at an offset yet, or the data ends there."""
    head = data[place : place + HEAD]
    return head == _ZEROS[: len(head)]


def any_record(data: bytes, start: int) -> bool:
    """Whether a good record begins anywhere from `start` on."""
    return next_record(data, start) is not None


def next_record(data: bytes, start: int) -> int | None:
    """Where the first good record from `start` on begins; None where there is none."""
    place = data.find(MARK, start)
    while place >= 0:
        if _entry(data, place) is not None:
            return place
        place = data.find(MARK, place + 1)
    return None


def decode(entry: Entry) -> Record | Note:
    """What an entry says. ValueError for one of another version, or that no process of ours could have meant."""
    if entry.version == NOTE_VERSION:
        return _decode_note(entry)
    if entry.version != VERSION:
        raise ValueError(f"a record of version {entry.version}")
    try:
        record = _decoder.decode(entry.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    flaw = flaw_of(record)
    if flaw:
        raise ValueError(flaw)
    return record


def _decode_note(entry: Entry) -> Note:
    try:
        note = _note_decoder.decode(entry.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if not note.id or not note.handle or "\0" in note.id + note.channel + note.credential + note.handle:
        raise ValueError("a note of nothing")
    return note


def flaw_of(record: Record) -> str:
    """What is wrong with a record, "" where nothing is."""
    if not 0 <= record.over <= record.cost <= MAX_AMOUNT:
        return f"cost {record.cost}, of which {record.over} beyond the hold"
    if record.cost and not record.hold:
        return "a cost without a hold"
    if not record.id:
        return "no id"
    if not (
        _LEAST <= record.at <= _MOST
        and _LEAST <= record.status <= _MOST
        and _LEAST <= record.first_us <= _MOST
        and _LEAST <= record.total_us <= _MOST
        and _LEAST <= record.own_us <= _MOST
        and _LEAST <= record.multiplier <= _MOST
        and 0 <= record.day <= _MOST
    ):
        return "a number out of range"
    total = 0
    for count in record.units.values():
        if count < 0:
            return "a count out of range"
        total += count
    return "a count out of range" if total > _MOST else ""


def _entry(data: bytes, place: int) -> Entry | None:
    if len(data) - place < HEAD:
        return None
    mark, version, zero, length, crc = _HEAD.unpack_from(data, place)
    end = place + HEAD + length
    if mark != MARK or zero or length > LONGEST or end > len(data):
        return None
    payload = data[place + HEAD : end]
    return Entry(version, payload, end) if _crc(version, payload) == crc else None


def _crc(version: int, payload: bytes) -> int:
    return crc32(payload, crc32(_SEED.pack(version, len(payload))))


def _sound(record: Record | Note) -> Record | Note:
    """The same with text that is no Unicode replaced: a lone surrogate must not cost a record."""
    changed: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str):
            changed[name] = _text(value)
    if isinstance(record, Record):
        changed["attempts"] = []
        changed["units"] = {_text(unit): count for unit, count in record.units.items()}
    return msgspec.structs.replace(record, **changed)


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
