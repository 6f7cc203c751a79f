"""Ids of kept things in bodies of OpenAI's form: found, and replaced, at the members that hold them and nowhere else.

What stands in texts, schemas and notes of the caller's is left alone, and so is what an answer told and a caller sends
back (`annotations`, `results`). Every other byte of a body stays as it is. Pure; whose a thing is, others find out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import msgspec

from unigate.base.errors import BadRequest
from unigate.dialects import json_edit, openai_body, sse
from unigate.spec.reference import Reference

__all__ = ["Carried", "Place", "find", "made_containers", "named_files", "names", "places", "put", "times"]

#: Member -> kind of the things that it names.
KINDS: Mapping[str, str] = {
    "file_id": "file",
    "file_ids": "file",
    "vector_store_ids": "vector_store",
    "vector_store_id": "vector_store",
    "container": "container",
    "container_id": "container",
}
#: Things that one body may name, and places in which it may name them.
MOST = 200
MOST_PLACES = 2000
#: Objects and lists (their beginnings and ends) that a body may have where it names something.
_MOST_BRACKETS = 400_000
#: Below these nothing is a reference.
_NOT_BELOW = frozenset(
    b'"%s"' % name
    for name in (
        *(b"metadata", b"parameters", b"schema", b"json_schema", b"input_schema", b"attributes", b"filters"),
        *(b"annotations", b"results", b"logprobs"),
    )
)
#: Where a container is named that is to be used; elsewhere it is told of one that was.
_TOOLS = b'"tools"'
#: Values of a prompt: texts, or objects like those of an input.
_VARIABLES = b'"variables"'
#: Files within containers, which are no files of the files API.
_OF_CONTAINERS = "cfile_"

_WS = rb"[ \t\r\n]*+"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TEXT = re.compile(_STRING, re.DOTALL)
#: A text, or a list of nothing but texts.
_TEXTS = re.compile(
    rb"(?:" + _STRING + rb"|\[" + _WS + rb"(?:" + _STRING + _WS + rb"(?:," + _WS + _STRING + _WS + rb")*+)?+\])",
    re.DOTALL,
)
_KEY = rb'(?<!\\)"(%b)"' + _WS + b":" + _WS + rb'(?=["\[])'
_USUAL = re.compile(_KEY % b"file_ids?|vector_store_ids?|container(?:_id)?")
_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
_ID = re.compile(rb'"([\w.-]{4,128})"')
#: As vendors call files, and whatever stands where they are named.
_NAMED = re.compile(rb'"((?:file|assistant)-[\w.-]{4,120})"|"file_id"' + _WS + b":" + _WS + rb'"([\w.-]{4,128})"')


class _Note(msgspec.Struct, gc=False):
    container_id: str | None = None


class _Part(msgspec.Struct, gc=False):
    annotations: list[_Note] | None = None


class _Item(msgspec.Struct, gc=False):
    container_id: str | None = None
    content: list[_Part] | None = None


class _Response(msgspec.Struct, gc=False):
    output: list[_Item] | None = None


class _Told(msgspec.Struct, gc=False):
    """A response, or an event of one."""

    output: list[_Item] | None = None
    response: _Response | None = None
    item: _Item | None = None
    annotation: _Note | None = None


_told = msgspec.json.Decoder(_Told)
_CONTAINER = b'"container_id"'


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands: the text of its id, and the object that has the member."""

    reference: Reference
    start: int
    end: int
    #: Where the object begins, and under which key it stands; "" in a list.
    holder: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A file that goes in a body itself."""

    filename: str
    #: A `data:` URL.
    url: str


def find(body: bytes, kinds: Mapping[str, str] = KINDS) -> tuple[Reference, ...]:
    """What a body that was decoded before names, each once; BadRequest where that is too much, or no ids.

    Takes time in proportion to the body: above 64 KB to be called beside an event loop.
    """
    found: dict[Reference, None] = {}
    for count, place in enumerate(places(clear(body), kinds), 1):
        found[place.reference] = None
        if len(found) > MOST or count > MOST_PLACES:
            raise BadRequest(f"At most {MOST} files and other things can be named.", param=place.reference.param)
    return tuple(found)


def clear(body: bytes) -> bytes:
    """The body with ASCII letters in the clear, so that no member hides behind escapes: the same values."""
    return openai_body.unescaped(body)


def places(body: bytes, kinds: Mapping[str, str] = KINDS) -> Iterator[Place]:
    """All references of a clear body, in order; BadRequest where a list of ids has anything else in it."""
    pattern = _USUAL if kinds is KINDS else re.compile(_KEY % b"|".join(map(re.escape, map(str.encode, kinds))))
    around = _Around(body)
    for found in pattern.finditer(body):
        level = around.at(found.start())
        if level is None or level.nothing or body[level.start] != ord("{") or level.key == _VARIABLES:
            continue
        member = found[1].decode()
        kind = kinds[member]
        if kind == "container" and not level.tools:
            continue
        # Nothing within a list is looked at again as a list of its own: the way is as long as the body, however it nests.
        texts = _TEXTS.match(body, found.end())
        if texts is None:
            raise BadRequest(f"Invalid '{member}': expected a list of ids.", param=member, code="invalid_type")
        for text in _TEXT.finditer(body, texts.start(), texts.end()):
            id = msgspec.json.decode(text[0], type=str)
            if kind != "file" or not id.startswith(_OF_CONTAINERS):
                key = level.key[1:-1].decode()
                yield Place(Reference(kind, id, member), text.start(), text.end(), level.start, key)


def put(
    body: bytes, ids: Mapping[str, str], carried: Mapping[str, Carried] | None = None, kinds: Mapping[str, str] = KINDS
) -> bytes:
    """The body with other ids of files, and with the files themselves in place of those that are to be carried.

    LookupError where one is to be carried in a place that has no way of carrying it.
    """
    body = clear(body)
    changes: list[json_edit.Change] = []
    changed: set[int] = set()
    urls = {id: msgspec.json.encode(file.url) for id, file in (carried or {}).items()}
    for place in places(body, kinds):
        if place.reference.kind != "file":
            continue
        id = place.reference.id
        if carried and id in carried:
            if place.holder in changed:
                raise LookupError(f"{place.reference.param} stands more than once")
            changed.add(place.holder)
            changes += _carry(body, place, carried[id].filename, urls[id])
        elif id in ids:
            changes.append((place.start, place.end, msgspec.json.encode(ids[id])))
    return json_edit.apply(body, changes) if changes else body


def times(body: bytes) -> Counter[str]:
    """In how many places a body names each of its files."""
    return Counter(place.reference.id for place in places(clear(body)) if place.reference.kind == "file")


def names(answer: bytes, ours: Mapping[bytes, bytes]) -> bytes:
    """An answer, or whole events of one, with our ids in place of a provider's."""

    def one(found: re.Match[bytes]) -> bytes:
        known = ours.get(found[1])
        return found[0] if known is None else b'"' + known + b'"'

    return _ID.sub(one, answer)


def named_files(answer: bytes) -> set[str]:
    """What may be ids of files in an answer, or in whole events of one."""
    if b"file" not in answer and b'"assistant-' not in answer:
        return set()
    return {(found[1] or found[2]).decode() for found in _NAMED.finditer(answer)}


def made_containers(answer: bytes) -> set[str]:
    """Containers that a response, or whole events of one, tell to have been used: of their items only, not of what was asked."""
    if _CONTAINER not in answer:
        return set()
    if answer[:1] == b"{":
        return _containers(answer)
    splitter = sse.Splitter()
    events = [*splitter.feed(answer), splitter.rest()]
    return {id for event in events if (data := sse.parse(event)[1]) and _CONTAINER in data for id in _containers(data)}


def _containers(told: bytes) -> set[str]:
    try:
        found = _told.decode(told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set()
    items = [*(found.output or ()), *((found.response.output or ()) if found.response else ())]
    items += [found.item] if found.item else []
    notes = [note for item in items for part in item.content or () for note in part.annotations or ()]
    notes += [found.annotation] if found.annotation else []
    return {one.container_id for one in (*items, *notes) if one.container_id}


def _carry(body: bytes, place: Place, filename: str, url: bytes) -> list[json_edit.Change]:
    """Changes of the object that names a file, so that it has the file: as chats and responses have it."""
    there = {member.key: body[member.start : member.end] for member in json_edit.members(body, place.holder)}
    if there.get("type") == b'"input_image"':
        values = {"image_url": url}
    elif place.key == "file" or there.get("type") == b'"input_file"':
        values = {"file_data": url}
        if "filename" not in there:
            values["filename"] = msgspec.json.encode(filename)
    else:
        raise LookupError(f"{place.reference.param} has no form that carries a file")
    return json_edit.change(body, values, (place.reference.param,), place.holder)


class _Level(NamedTuple):
    """An object or a list that is open."""

    start: int
    #: Under which it stands, quoted; b"" in a list.
    key: bytes
    #: Whether it is, or is within, something that holds no references, and the tools.
    nothing: bool
    tools: bool


class _Around:
    """Which objects and lists are open at places that are asked for in their order: one pass over all of them."""

    __slots__ = ("_body", "_brackets", "_levels", "_next", "_open")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._brackets = islice(_BRACKET.finditer(body), _MOST_BRACKETS)
        self._next = next(self._brackets, None)
        #: Where those begin that are open, with what stands before each; of the outermost ones it is known what they are.
        self._open: list[re.Match[bytes]] = []
        self._levels: list[_Level] = []

    def at(self, place: int) -> _Level | None:
        """The innermost at a place; None outside of all. BadRequest where there are too many before it."""
        opened, levels, found = self._open, self._levels, self._next
        while found is not None and found.end() <= place:
            if found[1] in b"[{":
                opened.append(found)
            elif opened:
                opened.pop()
                del levels[len(opened) :]
            found = next(self._brackets, None)
        if found is None:
            raise BadRequest("The body has too many objects and lists for one that names files or other things.")
        self._next = found
        for one in opened[len(levels) :]:
            levels.append(self._level(one, levels[-1] if levels else _OUTSIDE))
        return levels[-1] if levels else None

    def _level(self, opened: re.Match[bytes], outer: _Level) -> _Level:
        start = opened.end() - 1
        key = self._key(opened.start(), start)
        return _Level(start, key, outer.nothing or key in _NOT_BELOW, outer.tools or key == _TOOLS)

    def _key(self, begin: int, bracket: int) -> bytes:
        quote = self._body.rfind(b'"', begin, bracket)
        if quote < 0 or self._body[quote + 1 : bracket].strip() != b":":
            return b""
        return self._body[self._body.rfind(b'"', begin, quote) : quote + 1]


_OUTSIDE = _Level(0, b"", False, False)
