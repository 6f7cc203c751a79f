"""Changing single members of a JSON text while every other byte stays as it is.

Works on texts that were decoded before, so that syntax is known to be sound; a text that isn't gives ValueError.
Positions are offsets of bytes.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from unigate.base.errors import InvalidJson

#: Members of one object that is looked into; those of any API are far fewer.
MOST = 1000
Change = tuple[int, int, bytes]

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_MEMBER = re.compile(rb"[ \t\r\n]*+(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+", re.DOTALL)
_SIMPLE = re.compile(_STRING + rb"|[^ \t\r\n,\]}{\[\":]++", re.DOTALL)
_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+[\[\]{}]', re.DOTALL)
_AFTER = re.compile(rb"[ \t\r\n]*+([,}])")
_OPEN = re.compile(rb"[ \t\r\n]*+\{")
_EMPTY = re.compile(rb"[ \t\r\n]*+\}")


class Member(NamedTuple):
    """One member of an object: its key, where the key's text begins, where its value begins and ends."""

    key: str
    at: int
    start: int
    end: int


def members(text: bytes, start: int = 0) -> list[Member]:
    """All members of the object that begins at `start` (white space before it is skipped), in their order.

    InvalidJson for more than MOST: they are walked one by one, while everything else waits.
    """
    at = _open(text, start)
    if _EMPTY.match(text, at):
        return []
    found: list[Member] = []
    while True:
        head = _MEMBER.match(text, at)
        if head is None:
            raise ValueError("not a JSON object")
        end = _value_end(text, head.end())
        if len(found) >= MOST:
            raise InvalidJson(f"An object of the body has more than {MOST} members.")
        found.append(Member(_key(head[1]), head.start(1), head.end(), end))
        after = _AFTER.match(text, end)
        if after is None:
            raise ValueError("not a JSON object")
        if after[1] == b"}":
            return found
        at = after.end()


def find(text: bytes, *path: str) -> Member | None:
    """The member at a path of keys (the last where a key stands more than once); None where there is none."""
    start, found = 0, None
    for key in path:
        if not _OPEN.match(text, start):
            return None
        found = None
        for member in members(text, start):
            if member.key == key:
                found = member
        if found is None:
            return None
        start = found.start
    return found


def change(
    text: bytes,
    values: Mapping[str, bytes],
    drop: Collection[str] = (),
    start: int = 0,
    names: Mapping[str, str] | None = None,
) -> list[Change]:
    """The splices that set, rename (`names`: old name to new) and leave out members of the object at `start`.

    `values` are JSON texts by key; a key that is not there yet is put first. For `apply`.
    """
    present = members(text, start)
    dropped = [member.key in drop for member in present]
    changes: list[Change] = []
    there = set()
    for member, gone in zip(present, dropped, strict=True):
        if gone:
            continue
        there.add(member.key)
        if names and (name := names.get(member.key)) is not None:
            changes.append((member.at, text.index(b":", member.at + len(member.key)), b'"' + name.encode() + b'"'))
        if (value := values.get(member.key)) is not None:
            changes.append((member.start, member.end, value))
    new = [msgspec.json.encode(key) + b":" + value for key, value in values.items() if key not in there]
    if new:
        at = _open(text, start)
        changes.append((at, at, b",".join(new) + (b"," if there else b"")))
    changes.extend(_gaps(present, dropped))
    return changes


def apply(text: bytes, changes: Sequence[Change]) -> bytes:
    """The text with all changes made; spans must not overlap."""
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(changes, key=_place):
        parts.append(text[at:start])
        parts.append(new)
        at = end
    parts.append(text[at:])
    return b"".join(parts)


def edited(text: bytes, values: Mapping[str, bytes], drop: Collection[str] = (), start: int = 0) -> bytes:
    """The text with members of the object at `start` set and left out."""
    return apply(text, change(text, values, drop, start))


def _gaps(present: Sequence[Member], dropped: Sequence[bool]) -> list[Change]:
    """Spans to cut for each run of dropped members, with the comma that would be left over."""
    gaps: list[Change] = []
    at = 0
    while at < len(present):
        if not dropped[at]:
            at += 1
            continue
        first = at
        while at < len(present) and dropped[at]:
            at += 1
        if first:
            gaps.append((present[first - 1].end, present[at - 1].end, b""))
        else:
            gaps.append((present[0].at, present[at].at if at < len(present) else present[-1].end, b""))
    return gaps


def _place(change: Change) -> tuple[int, int]:
    return change[0], change[1]


def _open(text: bytes, start: int) -> int:
    opened = _OPEN.match(text, start)
    if opened is None:
        raise ValueError("not a JSON object")
    return opened.end()


def _value_end(text: bytes, start: int) -> int:
    simple = _SIMPLE.match(text, start)
    if simple is not None:
        return simple.end()
    level = 0
    for part in _BRACKET.finditer(text, start):
        level += 1 if text[part.end() - 1] in b"[{" else -1
        if level <= 0:
            return part.end()
    raise ValueError("not a JSON object")


def _key(literal: bytes) -> str:
    if b"\\" in literal:
        return msgspec.json.decode(literal, type=str)
    return literal[1:-1].decode()
