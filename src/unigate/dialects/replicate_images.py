"""OpenAI's call for pictures as the input of a Replicate model: by the fields that the model has.

A size becomes width and height, or the nearest ratio that the model knows; fields that neither side knows travel.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from math import log

from unigate.base.errors import BadRequest
from unigate.dialects.replicate_fields import Field
from unigate.dialects.replicate_known import Known
from unigate.dialects.replicate_models import MODELS
from unigate.spec.task import Fit

#: Fields of OpenAI's call that a model gets only where it has one of that name.
_OPENAI = ("quality", "style", "background", "moderation", "user", "output_compression", "partial_images")
#: Fields that are read here, or mean nothing without a stream.
_READ = frozenset({"model", "prompt", "n", "size", "response_format", "stream", "output_format", *_OPENAI})
#: Fields of a model that `size` decides.
_SIDED = frozenset({"width", "height", "aspect_ratio"})
_SIZE = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")


def fit(model: str, body: Mapping[str, object]) -> Fit:
    """How many of the pictures one prediction makes; `model` is the name at the vendor.

    BadRequest for a size that is none, and for models that make no pictures of words alone.
    """
    _sides(body)
    known = MODELS.get(model)
    if known is None:
        return Fit(ignored=_ignored(None, body))
    needed = [name for name, field in known.fields.items() if field.needed and name != "prompt"]
    if known.makes != "image" or "prompt" not in known.fields or needed:
        why = f": it needs {' and '.join(needed)}" if needed else ""
        raise BadRequest(f"The model '{model}' does not make pictures from a prompt alone{why}.", param="model")
    several = known.fields.get("num_outputs")
    return Fit(most=int(several.high or 1) if several is not None else 1, ignored=_ignored(known, body))


def input_of(model: str, body: Mapping[str, object]) -> dict[str, object]:
    """The input of the prediction; `model` is the name at the vendor. BadRequest for a size that is none."""
    known = MODELS.get(model)
    fields = known.fields if known is not None else {}
    made: dict[str, object] = {"prompt": body.get("prompt")}
    if body.get("n") is not None and (known is None or "num_outputs" in fields):
        made["num_outputs"] = body["n"]
    made |= _sized(known, body)
    picture = body.get("output_format")
    if isinstance(picture, str) and (known is None or "output_format" in fields):
        made["output_format"] = "jpg" if picture == "jpeg" else picture
    if "output_quality" in fields and body.get("output_compression") is not None:
        made["output_quality"] = body["output_compression"]
    made |= {name: body[name] for name in _OPENAI if name in fields and body.get(name) is not None}
    barred = _barred(body)
    # What is priced stands in OpenAI's fields: nothing beside them may order something else.
    return {name: value for name, value in body.items() if name not in _READ and name not in barred} | made


def _ignored(known: Known | None, body: Mapping[str, object]) -> tuple[str, ...]:
    """Fields of a call that a model has nothing for, and those that another one decides."""
    fields = known.fields if known is not None else {}
    named = [name for name in _OPENAI if body.get(name) is not None and name not in fields]
    if "output_quality" in fields:
        named = [name for name in named if name != "output_compression"]
    if known is not None and "output_format" not in fields and body.get("output_format") is not None:
        named.append("output_format")
    return (*named, *sorted(_barred(body) & body.keys()))


def _barred(body: Mapping[str, object]) -> frozenset[str]:
    """Fields of the model's own whose place is taken: `n` alone says how many, and a size how large."""
    return frozenset({"num_outputs"}) | (_SIDED if _sides(body) is not None else frozenset())


def _sized(known: Known | None, body: Mapping[str, object]) -> dict[str, object]:
    sides = _sides(body)
    if sides is None:
        return {}
    width, height = sides
    fields = known.fields if known is not None else {}
    ratios = fields["aspect_ratio"].of if "aspect_ratio" in fields else ()
    if "size" in fields and body["size"] in fields["size"].of:
        return {"size": body["size"]}
    if "custom" in ratios:
        return {"aspect_ratio": "custom", **_within(fields, width, height)}
    if ratios:
        return {"aspect_ratio": _nearest(width, height, [str(ratio) for ratio in ratios])}
    return _within(fields, width, height)


def _within(fields: Mapping[str, Field], width: int, height: int) -> dict[str, object]:
    """Width and height as they are, or made smaller in their ratio where the model does not go so far."""
    sides = {"width": width, "height": height}
    highest = {name: fields[name].high if name in fields else None for name in sides}
    scale = min(Fraction(high) / sides[name] if high else Fraction(1) for name, high in highest.items())
    if scale >= 1:
        return dict(sides)
    steps = {name: fields[name].step or 1 for name in sides}
    return {name: max(int(side * scale) // steps[name], 1) * steps[name] for name, side in sides.items()}


def _sides(body: Mapping[str, object]) -> tuple[int, int] | None:
    """Width and height that are asked for; None where that is left to the model. BadRequest."""
    size = body.get("size")
    if size is None or size == "auto":
        return None
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found is None:
        raise BadRequest("'size' is a width and a height, such as 1024x1024, or auto.", param="size")
    return int(found[1]), int(found[2])


def _nearest(width: int, height: int, ratios: list[str]) -> str:
    parts = {ratio: ratio.split(":") for ratio in ratios if ":" in ratio}
    return min(parts, key=lambda ratio: abs(log(int(parts[ratio][0]) / int(parts[ratio][1])) - log(width / height)))
