"""Reads and checks calls for pictures as OpenAI does: JSON or a form, by what each family of models takes.

https://platform.openai.com/docs/api-reference/images
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from unigate.sandbox.brain import harm
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.brain.pictures import measure
from unigate.sandbox.forms import checks, openai_named, openai_request, platform_files
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.serving import multipart, outgoing
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.face import Call

_MEGA = 1 << 20
_QUALITIES = ("low", "medium", "high", "auto")
_NUMBERS = frozenset({"n", "output_compression", "partial_images"})
_FLAGS = frozenset({"stream"})
_IMAGE = re.compile(r"image(?:\[\d*\])?")
_BLOCKED = 0.8
_KINDS = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the models of one family take."""

    fields: frozenset[str]
    sizes: tuple[str, ...]
    qualities: tuple[str, ...]
    prompt: int
    usual_size: str = "1024x1024"
    usual_quality: str = "standard"
    most: int = 10
    #: Counts tokens, and answers with pictures only.
    counts: bool = False
    any_size: bool = False


_ALL = frozenset({"model", "prompt", "n", "size", "quality", "user"})
_GPT = Family(
    fields=_ALL
    | {"background", "output_format", "output_compression", "moderation", "stream", "partial_images", "input_fidelity"},
    sizes=("1024x1024", "1024x1536", "1536x1024", "auto"),
    qualities=_QUALITIES,
    prompt=32_000,
    usual_quality="medium",
    counts=True,
)
_FAMILIES: Mapping[str, Family] = {
    "dall-e-2": Family(
        fields=_ALL | {"response_format"},
        sizes=("256x256", "512x512", "1024x1024"),
        qualities=("standard",),
        prompt=1000,
    ),
    "dall-e-3": Family(
        fields=_ALL | {"response_format", "style"},
        sizes=("1024x1024", "1024x1792", "1792x1024"),
        qualities=("standard", "hd"),
        prompt=4000,
        most=1,
    ),
    "gpt-image-2": Family(
        fields=_GPT.fields,
        sizes=_GPT.sizes,
        qualities=_QUALITIES,
        prompt=32_000,
        usual_quality="medium",
        counts=True,
        any_size=True,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A picture of the caller's."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that was found good."""

    model: str
    family: Family
    prompt: str
    number: int
    size: tuple[int, int]
    quality: str
    background: str
    format: str
    compression: int
    stream: bool
    partials: int
    response_format: str
    images: tuple[Given, ...] = ()
    mask: Given | None = None
    faithful: bool = False
    body: Object = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A body with its files apart."""

    body: Object
    images: tuple[bytes, ...] = ()
    mask: bytes | None = None


async def parts(call: Call) -> Parts:
    """The fields and files of a call: a form, or JSON whose pictures are data URLs, addresses or files of its own."""
    kind = call.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        body = openai_request.decode(call.body)
        listed = checks.listed(checks.given(body, "images", []), "images")
        images = [await _named(one, f"images[{at}]", call) for at, one in enumerate(listed)]
        mask = await _named(body["mask"], "mask", call) if body.get("mask") is not None else None
        rest = {name: value for name, value in body.items() if name not in ("images", "mask")}
        return Parts(body=rest, images=tuple(images), mask=mask)
    try:
        found = multipart.read(call.body, kind)
    except ValueError:
        raise VendorError(400, "We could not parse the form of your request.") from None
    body, files, masks = {}, [], []
    for part in found:
        if _IMAGE.fullmatch(part.name):
            files.append(part.data)
        elif part.name == "mask":
            masks.append(part.data)
        else:
            body[part.name] = _value(part.name, part.data.decode("utf-8", "replace"))
    return Parts(body=body, images=tuple(files), mask=masks[0] if masks else None)


def _value(name: str, text: str) -> object:
    if name in _NUMBERS:
        try:
            return int(text)
        except ValueError:
            raise checks.wrong_type(name, "an integer", text) from None
    return text.strip().lower() in ("true", "1") if name in _FLAGS else text


async def _named(value: object, param: str, call: Call) -> bytes:
    """The bytes of `{"image_url": ...}`: a data URL, or what stands at an address; or of `{"file_id": ...}`."""
    given = checks.mapping(value, param)
    if isinstance(given.get("file_id"), str):
        return platform_files.library(call)(given["file_id"], f"{param}.file_id")[1]
    address = given.get("image_url")
    if not isinstance(address, str):
        raise checks.missing(f"{param}.image_url")
    if address.startswith("data:"):
        try:
            return base64.b64decode(address.partition(",")[2], validate=True)
        except binascii.Error:
            raise checks.refuse(f"Invalid base64 in '{param}.image_url'.", param, "invalid_base64") from None
    file = call.world.files.get(address.rpartition("/")[2].partition(".")[0])
    if file is not None:
        return file.data
    try:
        return await outgoing.get(address)
    except (OSError, ValueError):
        raise checks.refuse(f"Error while downloading {address}.", param, "invalid_image_url") from None


def read(manner: Manner, call: Call, told: Parts, *, usual: str, edits: bool = False) -> Asked:
    """What is asked for; VendorError as the vendor words it."""
    body = told.body
    model = openai_named.model(manner, call, body, "images", usual)
    family = _FAMILIES.get(model.name, _GPT)
    known = family.fields - ({"moderation"} if edits else {"input_fidelity"})
    for name in body:
        if name not in known:
            raise checks.refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    prompt = checks.text(body, "prompt", "prompt", required=True)
    if not prompt:
        raise checks.missing("prompt")
    if len(prompt) > family.prompt:
        told_length = f"Invalid 'prompt': string too long. Expected a string with maximum length {family.prompt}, but got a string with length {len(prompt)} instead."
        raise checks.refuse(told_length, "prompt", "string_above_max_length")
    asked = _asked(model.name, family, prompt, body)
    if body.get("moderation", "auto") != "low":
        _moderate(prompt, family)
    return asked


def _asked(name: str, family: Family, prompt: str, body: Object) -> Asked:
    number = checks.integer(body, "n", 1, 10) or 1
    if number > family.most:
        raise checks.refuse(f"You must provide n={family.most} for this model.", "n", "invalid_value")
    quality = checks.one_of(checks.given(body, "quality", family.usual_quality), "quality", family.qualities)
    form = checks.one_of(checks.given(body, "output_format", "png"), "output_format", ("png", "jpeg", "webp"))
    background = checks.one_of(
        checks.given(body, "background", "auto"), "background", ("transparent", "opaque", "auto")
    )
    if background == "transparent" and (form == "jpeg" or family.any_size):
        told = "Transparent background is not supported for this combination of model and output format."
        raise checks.refuse(told, "background", "invalid_value")
    compression = checks.integer(body, "output_compression", 0, 100)
    if compression is not None and compression < 100 and form == "png":
        told = "Compression less than 100 is not supported for PNG output format"
        raise checks.refuse(told, "output_compression", "invalid_png_output_compression")
    checks.one_of(checks.given(body, "moderation", "auto"), "moderation", ("low", "auto"))
    checks.one_of(checks.given(body, "style", "vivid"), "style", ("vivid", "natural"))
    stream = checks.flag(body, "stream") or False
    partials = checks.integer(body, "partial_images", 0, 3) or 0
    checks.text(body, "user", "user")
    return Asked(
        model=name,
        family=family,
        prompt=prompt,
        number=number,
        size=_size(body, family),
        quality=family.usual_quality if quality == "auto" else quality,
        background="opaque" if background == "auto" else background,
        format=form,
        compression=100 if compression is None else compression,
        stream=stream,
        partials=partials,
        response_format=checks.one_of(
            checks.given(body, "response_format", "url"), "response_format", ("url", "b64_json")
        ),
        faithful=checks.one_of(checks.given(body, "input_fidelity", "low"), "input_fidelity", ("low", "high"))
        == "high",
        body=body,
    )


def _size(body: Object, family: Family) -> tuple[int, int]:
    size = checks.given(body, "size", family.usual_size)
    free = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size) if family.any_size and isinstance(size, str) else None
    if free is not None:
        width, height = int(free[1]), int(free[2])
        if width % 16 or height % 16 or max(width, height) > 3 * min(width, height):
            raise checks.refuse(f"Invalid size '{size}'.", "size", "invalid_value")
        return width, height
    size = checks.one_of(size, "size", family.sizes)
    width_text, _, height_text = (family.usual_size if size == "auto" else size).partition("x")
    return int(width_text), int(height_text)


def _moderate(prompt: str, family: Family) -> None:
    if max(harm.scores(unmarked(prompt)).values()) < _BLOCKED:
        return
    if family.counts:
        told = "Your request was rejected by the safety system. If you believe this is an error, contact us at help.openai.com."
        raise VendorError(400, told, kind="image_generation_user_error", code="moderation_blocked")
    told = "Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed by our safety system."
    raise VendorError(400, told, code="content_policy_violation")


def images(told: Parts, family: Family) -> tuple[Given, ...]:
    """The pictures to work on, checked as the family of the model asks."""
    if not told.images:
        raise checks.missing("image")
    most = 16 if family.counts else 1
    if len(told.images) > most:
        said = f"Invalid 'image': array too long. Expected an array with maximum length {most}, but got an array with length {len(told.images)} instead."
        raise checks.refuse(said, "image", "array_above_max_length")
    return tuple(_picture(data, "image", at + 1, family) for at, data in enumerate(told.images))


def _picture(data: bytes, name: str, number: int, family: Family) -> Given:
    found = measure(data)
    if found is None or found[0] not in _KINDS:
        if data[:64].lstrip().isascii() or found is not None:
            kind = f"image/{found[0]}" if found is not None else "application/octet-stream"
            told = f"Invalid file '{name}': unsupported mimetype ('{kind}'). Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'."
            raise checks.refuse(told, name, "unsupported_file_mimetype")
        told = f"Invalid image file or mode for image {number}, please check your image file."
        raise checks.refuse(told, name, "invalid_image_file")
    kind, width, height = found
    if not family.counts:
        if kind != "png" or len(data) >= 4 * _MEGA:
            raise checks.refuse("Uploaded image must be a PNG and less than 4 MB.", name)
        if width != height:
            raise checks.refuse("Uploaded image must be square.", name)
    elif len(data) >= 50 * _MEGA:
        raise checks.refuse("Invalid image: the file is larger than 50 MB.", name, "image_too_large")
    return Given(data=data, width=width, height=height)


def mask(told: Parts, first: Given) -> Given | None:
    """The mask, which must fit the first picture and be transparent somewhere."""
    if told.mask is None:
        return None
    found = measure(told.mask)
    if found is None or found[0] != "png" or len(told.mask) >= 4 * _MEGA:
        raise checks.refuse("Invalid mask image format - mask must be a PNG and less than 4 MB.", "mask")
    if found[1:] != (first.width, first.height):
        raise checks.refuse("Invalid mask image format - mask size does not match image size.", "mask")
    if told.mask[25] not in (4, 6) and b"tRNS" not in told.mask:
        raise checks.refuse("Invalid mask image format - mask image missing alpha channel.", "mask")
    return Given(data=told.mask, width=found[1], height=found[2])
