"""Usage as OpenAI's responses report it, and an estimate of it where they do not.

`ResponseUsage` of the vendor's description: `input_tokens` contains the cached and written tokens, `output_tokens` the
reasoning. The rules for numbers are those of `openai_usage`.
"""

from collections.abc import Mapping

import msgspec

from unigate.dialects import estimate
from unigate.dialects.openai_usage import Counts, count, details, from_counts
from unigate.spec.usage import Usage

#: Items that repeat what the model thought, in a form that only the vendor reads: about so many bytes for a token.
_SEALED = 32


def read_usage(told: object) -> Usage | None:
    """Usage from a vendor's usage object, decoded; None where it tells nothing that can be counted."""
    if not isinstance(told, Mapping):
        return None
    given, made = count(told.get("input_tokens")), count(told.get("output_tokens"))
    if given is None or made is None:
        return None
    return from_counts(
        Counts(
            prompt_tokens=given,
            completion_tokens=made,
            prompt_tokens_details=details(told.get("input_tokens_details")),
            completion_tokens_details=details(told.get("output_tokens_details")),
        )
    )


class _Frame(msgspec.Struct, gc=False):
    input: object = None
    instructions: object = None
    tools: object = None
    text: object = None


_frame = msgspec.json.Decoder(_Frame)


def input_tokens(body: bytes) -> int:
    """About how many input tokens a body has; a third of its bytes where it can't be read."""
    try:
        frame = _frame.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(body) // 3
    items = frame.input if isinstance(frame.input, list) else [frame.input]
    total = estimate.PER_CALL + estimate.value_tokens(frame.instructions)
    total += sum(estimate.PER_MESSAGE + item_tokens(item) for item in items)
    total += body.count(b'"input_image"') * estimate.PER_IMAGE
    if frame.tools:
        total += estimate.PER_TOOLS
    return total + estimate.schema_tokens(frame.tools) + estimate.schema_tokens(frame.text)


def item_tokens(item: object) -> int:
    """About how many tokens one item of an input or an output has."""
    if not isinstance(item, Mapping):
        return estimate.value_tokens(item)
    sealed = item.get("encrypted_content")
    read = {key: value for key, value in item.items() if key not in _LABELS}
    if isinstance(read.get("content"), list):
        read["content"] = [_read(part) for part in read["content"]]
    calls = estimate.PER_TOOL_CALL if str(item.get("type")).endswith("_call") else 0
    return estimate.value_tokens(read) + calls + (len(sealed) // _SEALED if isinstance(sealed, str) else 0)


def drawn(output: object) -> dict[str, Mapping[str, object]]:
    """The pictures in an answer's output that the tool of responses made, by their ids."""
    items = (item for item in _listed(output) if isinstance(item, Mapping) and item.get("type") == _DRAWN)
    return {str(item.get("id")): item for item in items if isinstance(item.get("result"), str) and item["result"]}


def speaks(output: object) -> bool:
    """Whether an answer's output holds anything but empty messages and thoughts."""
    return isinstance(output, list) and any(map(_item_speaks, output))


def _item_speaks(item: object) -> bool:
    if not isinstance(item, Mapping):
        return estimate.speaks(item)
    if item.get("type") not in ("message", "reasoning"):
        return True
    return any(_part_speaks(part) for name in _SAID for part in _listed(item.get(name)))


def _part_speaks(part: object) -> bool:
    if not isinstance(part, Mapping):
        return bool(part)
    return estimate.speaks({key: value for key, value in part.items() if key not in _LABELS})


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _read(part: object) -> object:
    """A part without its labels and pictures."""
    if not isinstance(part, Mapping):
        return part
    return {key: value for key, value in part.items() if key not in _LABELS and not key.endswith("_url")}


#: The item that holds a picture.
_DRAWN = "image_generation_call"
#: Where messages and thoughts have what they say.
_SAID = ("content", "summary", "encrypted_content")
#: Members of items and parts that the model does not read as text.
_LABELS = frozenset({"call_id", "status", "phase", "encrypted_content", "filename", "annotations", "logprobs"})
