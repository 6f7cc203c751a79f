"""Pictures in OpenAI's form from providers that answer at once: what generations, edits and variations read alike.

https://platform.openai.com/docs/api-reference/images. A call is JSON or a form; an answer holds pictures, and with models
that count tokens what was used. It must not know which of the operations it reads for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import estimate as _estimate
from unigate.dialects import form_read, json_edit, json_read, openai_body
from unigate.dialects.openai_answer import loosely, put_cost
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_usage import count
from unigate.spec.facts import Facts
from unigate.spec.form import FilePart, Form
from unigate.spec.provider import Provider, Refused
from unigate.spec.usage import Usage

#: The vendor's own bound for `n`.
MOST_PICTURES = 10
#: Output tokens of a picture that is shown before it is done.
PARTIAL_TOKENS = 100
MOST_PARTIALS = 3
#: Output tokens of a picture by quality, of 1024x1024, 1024x1536 and 1536x1024. Others go by their area.
#: https://platform.openai.com/docs/guides/image-generation (calculating costs)
_TOKENS: Mapping[str, tuple[int, int, int]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
_SIZES = ("1024x1024", "1024x1536", "1536x1024")
_AREA = 1024 * 1024
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_COUNTS_TOKENS = re.compile(r"gpt-image-|chatgpt-image-")
#: What is read of a body, so may stand there once only.
_NAMES = (
    "model",
    "prompt",
    "n",
    "size",
    "quality",
    "stream",
    "partial_images",
    "response_format",
    "usage",
)
#: Fields that only GPT image models know, by which a call without a model is told apart.
_GPT_ONLY = frozenset(
    {
        "background",
        "moderation",
        "output_format",
        "output_compression",
        "stream",
        "partial_images",
        "input_fidelity",
    }
)
_GPT_QUALITIES = frozenset({"low", "medium", "high"})
_GPT_SIZES = frozenset({"1536x1024", "1024x1536", "auto"})
#: Fields that some provider may refuse.
_REFUSED = ("response_format", "style")
_IMAGE_PART = re.compile(r"image(?:\[\d*\])?")


class _Call(msgspec.Struct, gc=False):
    model: str | None = None
    prompt: Any = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    stream: bool | None = None
    partial_images: int | None = None
    response_format: str | None = None
    usage: openai_body.UsageOptions | None = None
    images: list[msgspec.Raw] | None = None


_call = msgspec.json.Decoder(_Call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a call asks for, as far as we read it."""

    model: str
    prompt: str
    number: int
    size: str
    quality: str
    stream: bool
    partials: int
    response_format: str
    #: How many pictures it gives to work on.
    given: int
    names: frozenset[str]
    include_cost: bool = False

    @property
    def per_picture(self) -> int:
        """The most output tokens of one picture."""
        return picture_tokens(self.size, self.quality) + PARTIAL_TOKENS * self.partials

    @property
    def conditions(self) -> dict[str, str | int]:
        """What prices may ask for."""
        return {name: value for name, value in (("size", self.size), ("quality", self.quality)) if value}

    @property
    def usual_model(self) -> str:
        """The model that is meant where none is named: the newer family where it alone knows what was asked for."""
        newer = self.names & _GPT_ONLY or self.quality in _GPT_QUALITIES or self.size in _GPT_SIZES or self.given > 1
        return "gpt-image-1" if newer else "dall-e-2"


def picture_tokens(size: str, quality: str) -> int:
    """Output tokens of one picture with models that count them; where the model chooses, the most."""
    row = _TOKENS.get(quality, _TOKENS["high"])
    if size in _SIZES:
        return row[_SIZES.index(size)]
    found = _SIZE.fullmatch(size)
    if found is None:
        return max(row)
    return max(1, -(-row[0] * int(found[1]) * int(found[2]) // _AREA))


def counts_tokens(model: str) -> bool:
    """Whether a model of that name tells the tokens that it used."""
    return _COUNTS_TOKENS.match(model) is not None


#: What the vendor refuses with its GPT image models, which always answer with the pictures themselves.
REFUSED = Refused(models=("gpt-image-", "chatgpt-image-"), fields=_REFUSED)
REFUSES: Mapping[str, Refused] = {"openai.images.generations": REFUSED, "openai.images.edits": REFUSED}


def wish(asked: bytes | Form) -> Wish:
    """What a body asks for. InvalidJson, BadRequest (with `param`)."""
    found = _of_form(asked) if isinstance(asked, Form) else _of_json(asked)
    if not 1 <= found.number <= MOST_PICTURES:
        raise BadRequest(f"Invalid 'n': expected a value from 1 to {MOST_PICTURES}.", param="n", code="invalid_value")
    if not 0 <= found.partials <= MOST_PARTIALS:
        told = f"Invalid 'partial_images': expected a value from 0 to {MOST_PARTIALS}."
        raise BadRequest(told, param="partial_images", code="invalid_value")
    return found


def facts_of(found: Wish, *, model: str = "") -> Facts:
    """The facts of a call; `model` is meant where it names none, else what its fields say."""
    if found.response_format not in ("", "url", "b64_json"):
        words = "'response_format' is 'url' or 'b64_json'."
        raise BadRequest(words, param="response_format", code="invalid_value")
    return Facts(
        model=found.model,
        models=() if found.model else (model or found.usual_model,),
        pictures=True,
        links=found.response_format == "url" and not found.stream,
        optional=tuple(name for name in _REFUSED if name in found.names),
        stream=found.stream,
        count=found.number,
        output_limit=found.per_picture,
        least_output=found.per_picture,
        units={"images": found.number},
        most_input=len(found.prompt.encode()) + 16 + found.given * openai_body.IMAGE_TOKENS,
        include_cost=found.include_cost,
        conditions=found.conditions,
    )


def _of_json(body: bytes) -> Wish:
    call = json_read.decode(body, _call)
    json_read.refuse_twice(body, _NAMES)
    return Wish(
        model=call.model or "",
        prompt=call.prompt if isinstance(call.prompt, str) else "",
        number=1 if call.n is None else call.n,
        size=call.size or "",
        quality=call.quality or "",
        stream=call.stream is True,
        partials=call.partial_images or 0,
        response_format=call.response_format or "",
        given=len(call.images or ()),
        names=frozenset(member.key for member in json_edit.members(body)),
        include_cost=call.usage is not None and call.usage.include is True,
    )


def _of_form(form: Form) -> Wish:
    def value(name: str) -> str:
        return form_read.text(form, name) or ""

    return Wish(
        model=value("model"),
        prompt=value("prompt"),
        number=_number(form, "n", 1),
        size=value("size"),
        quality=value("quality"),
        stream=form_read.flag(form, "stream"),
        partials=_number(form, "partial_images", 0),
        response_format=value("response_format"),
        given=len(images(form)),
        names=frozenset(part.name for part in form.parts),
    )


def images(form: Form) -> tuple[FilePart, ...]:
    """The pictures to work on, in order: parts `image`, `image[]`, `image[0]`, ...; BadRequest for one that is no file."""
    found = [part for part in form.parts if _IMAGE_PART.fullmatch(part.name)]
    return form_read.files(form, *{part.name for part in found}) if found else ()


def _number(form: Form, name: str, usual: int) -> int:
    text = form_read.text(form, name)
    if text is None or not text.strip():
        return usual
    if not (text.isascii() and text.strip().isdecimal() and len(text) < 10):
        raise BadRequest(f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
    return int(text)


def edit(asked: bytes | Form, facts: Facts, edits: Edits) -> bytes | Form:
    """The body as the provider gets it."""
    if isinstance(asked, Form):
        return form_read.edit(asked, facts, edits)
    edits.ask_usage = False
    return openai_body.edit(asked, facts, edits)


def input_bound(asked: bytes | Form, facts: Facts) -> int:  # noqa: ARG001 - found while reading
    """The most input tokens of a call."""
    return facts.most_input


@dataclass(slots=True, kw_only=True)
class Seen:
    """What an answer says of itself."""

    usage: Usage | None
    #: Pictures that came.
    images: int
    #: Pictures that were shown before they were done.
    partials: int = 0
    #: Size and quality as the provider says that it made them.
    conditions: dict[str, str | int] = field(default_factory=dict)
    service_tier: str | None = None
    id: str = ""

    @property
    def empty(self) -> bool:
        """No picture came."""
        return not self.images


class _Picture(msgspec.Struct, gc=False):
    b64_json: msgspec.Raw = msgspec.Raw(b"null")
    url: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(msgspec.Struct, gc=False):
    data: list[_Picture]
    usage: Any = None
    size: Any = None
    quality: Any = None


_answer = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001 - as every `read_answer`
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    try:
        answer = _answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = loosely(body, "data")
        try:
            answer = msgspec.convert(
                {**told, "data": [_loose(one) for one in told["data"]]},
                _Answer,
            )
        except msgspec.ValidationError as error:
            raise BadAnswer(detail=f"the answer holds no pictures: {error}") from None
    made = sum(there(one.b64_json) or there(one.url) for one in answer.data)
    return Seen(
        usage=read_usage(answer.usage, made), images=made, conditions=told_conditions(answer.size, answer.quality)
    )


def _loose(one: object) -> dict[str, object]:
    if not isinstance(one, dict):
        return {}
    return {name: msgspec.Raw(msgspec.json.encode(one[name])) for name in ("b64_json", "url") if name in one}


def there(text: msgspec.Raw) -> bool:
    """Whether a member is a text with something in it."""
    begin = bytes(memoryview(text)[:2])
    return begin[:1] == b'"' and begin != b'""'


def told_conditions(size: object, quality: object) -> dict[str, str | int]:
    """Size and quality that a provider tells, as conditions of prices."""
    told = (("size", size), ("quality", quality))
    return {name: value for name, value in told if isinstance(value, str) and value and value != "auto"}


class Details(msgspec.Struct, gc=False):
    """Parts of what went in or came out."""

    text_tokens: int | None = None
    image_tokens: int | None = None


def read_usage(told: object, made: int) -> Usage | None:
    """Usage of a call that made so many pictures; None where nothing is told that can be counted.

    `input_tokens` with its parts, `output_tokens`, which are of pictures but for the text tokens among them.
    """
    if not isinstance(told, Mapping):
        return None
    given, out = count(told.get("input_tokens")), count(told.get("output_tokens"))
    if out is None:
        return None
    given = given or 0
    pictures = min(_part(told, "input_tokens_details", "image_tokens"), given)
    text = min(_part(told, "output_tokens_details", "text_tokens"), out)
    units = {"input": given - pictures, "image_input": pictures, "output": text, "image_output": out - text}
    return Usage({"images": made, **{unit: number for unit, number in units.items() if number}})


def _part(told: Mapping[str, object], of: str, name: str) -> int:
    details = told.get(of)
    return count(details.get(name)) or 0 if isinstance(details, Mapping) else 0


def estimate(asked: bytes | Form, seen: Seen) -> Usage:
    """Usage where the provider told none: the pictures, and for models that count tokens what those usually are."""
    found = wish(asked)
    if not counts_tokens(found.model):
        return Usage({"images": seen.images} if seen.images else {})
    each = picture_tokens(
        str(seen.conditions.get("size", found.size)), str(seen.conditions.get("quality", found.quality))
    )
    out = each * seen.images + PARTIAL_TOKENS * seen.partials
    units = {"images": seen.images, "input": _estimate.text_tokens(found.prompt), "image_output": out}
    return Usage({unit: number for unit, number in units.items() if number}, estimated=True)


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:
    """The answer with `usage.cost` (decimal USD)."""
    return put_cost(body, cost.encode(), usage, b'"input_tokens":%d,"output_tokens":%d,"total_tokens":%d,')
