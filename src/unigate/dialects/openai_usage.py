"""Usage as OpenAI's chat reports it, read into units that do not overlap.

`CompletionUsage` of the vendor's description: `prompt_tokens` contains the cached, written, sound and picture tokens;
`completion_tokens` contains reasoning, sound and pictures. What a provider tells counts only as an integer in
0..2^40: without sound totals nothing was reported, and parts never exceed their total.
"""

from collections.abc import Mapping

import msgspec

from unigate.spec.provider import Provider
from unigate.spec.usage import MAX_COUNT, Usage


class Details(msgspec.Struct, gc=False):
    """Parts of the prompt or of the completion; unknown parts stay in the total."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    reasoning_tokens: int | None = None


class Counts(msgspec.Struct, gc=False):
    """The usage object where every value has its documented type."""

    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


_NOTHING = Details()


def from_counts(counts: Counts) -> Usage | None:
    """Usage from well-typed counts; None where a total is out of range."""
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    if not (0 <= prompt <= MAX_COUNT and 0 <= completion <= MAX_COUNT):
        return None
    units: dict[str, int] = {}
    _input_units(units, prompt, counts.prompt_tokens_details or _NOTHING)
    _output_units(units, completion, counts.completion_tokens_details or _NOTHING)
    return Usage(units)


def read_usage(told: object, provider: Provider) -> Usage | None:
    """Usage from a vendor's usage object, decoded; None where it tells nothing that can be counted."""
    if not isinstance(told, Mapping):
        return None
    if provider.adjust_usage is not None:
        told = provider.adjust_usage(told)
    prompt, completion = count(told.get("prompt_tokens")), count(told.get("completion_tokens"))
    if completion is None and "completion_tokens" not in told and prompt is not None:
        # Embedding-like answers name the total only.
        total = count(told.get("total_tokens"))
        completion = max(total - prompt, 0) if total is not None else None
    if prompt is None or completion is None:
        return None
    return from_counts(
        Counts(
            prompt_tokens=prompt,
            completion_tokens=completion,
            prompt_tokens_details=details(told.get("prompt_tokens_details")),
            completion_tokens_details=details(told.get("completion_tokens_details")),
        )
    )


def read_input_usage(told: object, provider: Provider) -> Usage | None:
    """Usage of a call that has input only (embeddings): the total, which some vendors tell alone, else the prompt's."""
    if not isinstance(told, Mapping):
        return None
    if provider.adjust_usage is not None:
        told = provider.adjust_usage(told)
    total, prompt = count(told.get("total_tokens")), count(told.get("prompt_tokens"))
    if total is None and prompt is None:
        return None
    total = max(total or 0, prompt or 0)
    pictures = _part(count(told.get("image_tokens")), total)
    return Usage({"input": total - pictures, "image_input": pictures} if pictures else {"input": total})


def _input_units(units: dict[str, int], total: int, details: Details) -> None:
    left = total
    cached = _part(details.cached_tokens, left)
    left -= cached
    written = _part(details.cache_write_tokens, left)
    left -= written
    audio = _part(details.audio_tokens, total - written)
    # Sound that is not among the tokens left must be sound that was read from the cache.
    cached_audio = max(audio - left, 0)
    left -= audio - cached_audio
    image = _part(details.image_tokens, left)
    units["input"] = left - image
    if not (cached or written or audio or image):
        return
    parts = {
        "cached_input": cached - cached_audio,
        "cache_write": written,
        "audio_input": audio - cached_audio,
        "cached_audio_input": cached_audio,
        "image_input": image,
    }
    units.update({unit: count for unit, count in parts.items() if count})


def _output_units(units: dict[str, int], total: int, details: Details) -> None:
    left = total
    for unit, told in (
        ("reasoning", details.reasoning_tokens),
        ("audio_output", details.audio_tokens),
        ("image_output", details.image_tokens),
    ):
        if told:
            part = _part(told, left)
            left -= part
            if part:
                units[unit] = part
    units["output"] = left


def _part(told: int | None, most: int) -> int:
    """A part of a total: what is out of range was not told, and no part is larger than what it is part of."""
    if not told or not 0 <= told <= MAX_COUNT:
        return 0
    return min(told, most)


def count(value: object) -> int | None:
    """A number of tokens; None where it is none that can be counted."""
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def details(value: object) -> Details | None:
    """The parts of a count, as far as they can be counted; None where they are no object."""
    if not isinstance(value, Mapping):
        return None
    return Details(**{name: count(value.get(name)) for name in Details.__struct_fields__})
