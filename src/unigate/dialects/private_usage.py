"""Leaving out of an answer what is the operator's own: what the vendor charged, and to which account.

Vendors that resell tell the price that they charged inside the usage object. That is the operator's purchase price, and
no caller may see it. Every other byte stays.
"""

from collections.abc import Collection

from unigate.dialects import json_edit

#: Where usage objects stand in whole answers and in events of all dialects.
_PLACES = (("usage",), ("response", "usage"))


def hidden(text: bytes, names: Collection[str]) -> bytes:
    """A JSON text (an answer, or the data of an event) without these members of its usage objects.

    `text` itself where it has none. ValueError never: what can't be read is returned as it is, since it was refused before.
    """
    if not names or (not any(name.encode() in text for name in names) and b"\\u00" not in text):
        return text
    try:
        changes = [change for place in _PLACES for change in _changes(text, place, names)]
    except ValueError:
        return text
    return json_edit.apply(text, changes) if changes else text


def _changes(text: bytes, place: tuple[str, ...], names: Collection[str]) -> list[json_edit.Change]:
    found = json_edit.find(text, *place)
    if found is None or text[found.start : found.start + 1] != b"{":
        return []
    return json_edit.change(text, {}, names, found.start)
