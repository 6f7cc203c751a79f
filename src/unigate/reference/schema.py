"""Short words for JSON Schema 2020-12, so that a page reads as what it describes.

Objects are open: fields that are not named here travel too.
"""

from collections.abc import Mapping, Sequence

Schema = Mapping[str, object]

#: Any JSON value.
ANYTHING: Schema = {}


def text(about: str = "", *, of: Sequence[str] = (), least: int | None = None, most: int | None = None) -> Schema:
    """A string: one `of` some, or of a length."""
    return _told(about, type="string", enum=list(of) or None, minLength=least, maxLength=most)


def only(value: str, about: str = "") -> Schema:
    """A string that is always the same."""
    return _told(about, type="string", const=value)


def number(about: str = "", *, low: float | None = None, high: float | None = None) -> Schema:
    """A number."""
    return _told(about, type="number", minimum=low, maximum=high)


def whole(about: str = "", *, low: int | None = None, high: int | None = None) -> Schema:
    """A number without fraction."""
    return _told(about, type="integer", minimum=low, maximum=high)


def flag(about: str = "") -> Schema:
    """True or false."""
    return _told(about, type="boolean")


def many(of: Schema, about: str = "", *, least: int | None = None, most: int | None = None) -> Schema:
    """A list."""
    return _told(about, type="array", items=of, minItems=least, maxItems=most)


def record(fields: Mapping[str, Schema], about: str = "", *, needs: Sequence[str] = ()) -> Schema:
    """An object with named fields; others may stand beside them."""
    return _told(about, type="object", properties=dict(fields), required=list(needs) or None)


def mapping(of: Schema, about: str = "", *, most: int | None = None) -> Schema:
    """An object whose fields have any name and one form."""
    return _told(about, type="object", additionalProperties=of, maxProperties=most)


def either(*forms: Schema, about: str = "") -> Schema:
    """One of several forms."""
    return _told(about, anyOf=list(forms))


def ref(name: str) -> Schema:
    """A schema that stands under its own name."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    kind = schema.get("type")
    if not isinstance(kind, str) or "const" in schema:
        about = str(schema.get("description", ""))
        return either({name: value for name, value in schema.items() if name != "description"}, NULL, about=about)
    enum = schema.get("enum")
    return {**schema, "type": [kind, "null"], **({"enum": [*enum, None]} if isinstance(enum, list) else {})}


NULL: Schema = {"type": "null"}


def _told(about: str, **words: object) -> Schema:
    told = {name: value for name, value in words.items() if value is not None}
    return {**told, "description": about} if about else told
