"""Checks of single members of a Luma request: what is of another kind than it must be is refused before anything is sent.

Both forms use them. Whether there is a picture behind an address is the provider's to find out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from unigate.base.errors import BadRequest
from unigate.dialects import addresses, midjourney_pictures

FRAMES = ("frame0", "frame1")
_REFERENCES = 4
Body = Mapping[str, Any]


def model(given: Body) -> str:
    """The model that is named; BadRequest where none is."""
    if not text(given, "model"):
        raise BadRequest("model is required", param="model")
    return str(given["model"])


def frames(given: Body) -> Mapping[str, Body]:
    """Key frames by name: pictures by address, or generations by id, with these members alone; BadRequest.

    Whose generation another member may name nobody has looked at.
    """
    frames = given.get("keyframes", {})
    if not isinstance(frames, dict):
        raise BadRequest("keyframes must be an object", param="keyframes")
    found: dict[str, Body] = {}
    for name, frame in frames.items():
        at = f"keyframes.{name}"
        if name not in FRAMES or not isinstance(frame, dict):
            raise BadRequest("keyframes has frame0 and frame1, which are objects", param=at)
        if frame.get("type") == "generation" and isinstance(frame.get("id"), str) and frame["id"]:
            found[name] = {"type": "generation", "id": frame["id"]}
            continue
        if frame.get("type") != "image" or not is_address(frame.get("url")):
            told = 'must be {"type": "image", "url": <address>} or {"type": "generation", "id": <id>}'
            raise BadRequest(f"{at} {told}", param=at)
        found[name] = {"type": "image", "url": frame["url"]}
    return found


def media(given: Body, name: str) -> str:
    """The name of a member that holds an address; BadRequest."""
    value = given.get(name)
    if not isinstance(value, dict) or not is_address(value.get("url")):
        raise BadRequest(f"{name} must have a url, an address of http or https", param=f"{name}.url")
    return name


def references(given: Body, name: str) -> Sequence[object]:
    """A list of addresses with weights; BadRequest."""
    found = given.get(name, [])
    if not isinstance(found, list) or len(found) > _REFERENCES:
        raise BadRequest(f"{name} must be a list of at most {_REFERENCES}", param=name)
    for one in found:
        media({name: one}, name)
    return found


def character(value: object) -> str:
    """Pictures of a character, each by its address; BadRequest."""
    identities = value.values() if isinstance(value, dict) else ()
    images = [one.get("images") if isinstance(one, dict) else None for one in identities]
    if not images or not all(isinstance(one, list) and one and all(map(is_address, one)) for one in images):
        raise BadRequest('character_ref must be {"identity0": {"images": [<address>, ...]}}', param="character_ref")
    return "character_ref"


def concepts(given: Body) -> None:
    """A list of names of camera movements; BadRequest."""
    found = given.get("concepts", [])
    if not isinstance(found, list) or not all(isinstance(o, dict) and isinstance(o.get("key"), str) for o in found):
        raise BadRequest('concepts must be a list of {"key": <name>}', param="concepts")


def text(given: Body, name: str) -> str:
    """A text, "" where it is not there; BadRequest."""
    value = given.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string", param=name)
    return value


def flag(given: Body, name: str) -> bool:
    """Yes or no, no where it is not there; BadRequest."""
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false", param=name)
    return value


def one_of(given: Body, name: str, values: Sequence[str]) -> bool:
    """Whether there is a member; BadRequest where it is none of these values."""
    if name in given and given[name] not in values:
        raise BadRequest(f"{name} must be one of: {', '.join(values)}", param=name)
    return name in given


def address(given: Body, name: str) -> str:
    """An address, "" where there is none; BadRequest."""
    if given.get(name) in (None, ""):
        return ""
    if not is_address(given[name]):
        raise BadRequest(f"{name} must be an address of http or https", param=name)
    return str(given[name])


def picture(given: Body, name: str) -> str:
    """A picture by its address or as base64, "" where there is none; BadRequest for what is no picture."""
    value = given.get(name)
    if value in (None, ""):
        return ""
    try:
        return midjourney_pictures.check(value)
    except BadRequest:
        told = f"{name} must be a picture: its address, a data URL, or base64 of PNG, JPEG, WebP or GIF"
        raise BadRequest(told, param=name) from None


def count(query: Mapping[str, list[str]], name: str, usual: int, most: int) -> int:
    """A number of a query; BadRequest."""
    text = query.get(name, [str(usual)])[-1]
    if not (text.isascii() and text.isdecimal()) or len(text) > 6 or int(text) > most:
        raise BadRequest(f"{name} must be a number from 0 to {most}", param=name)
    return int(text)


def is_address(value: object) -> bool:
    """Whether a value is an address of http or https with a host."""
    return addresses.plain(value)
