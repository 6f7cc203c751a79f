"""Options of a caller's key: what a key may say of the calls that are made with it, beside what it allows.

They go to the dialects by name (`Submission.key_options`); a dialect's own begin with its name.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from unigate.base.config_reader import Section

_Speed = Literal["relax", "fast", "turbo"]


class KeyOptions(Section, frozen=True, kw_only=True):
    """All of them; None: the key says nothing."""

    #: The speed of all its Midjourney calls, whatever they ask for.
    midjourney_mode: _Speed | None = None
    #: Ids of Midjourney tasks as numbers in replies to submissions.
    midjourney_numeric_ids: bool | None = None


#: Their names.
NAMES = tuple(field.name for field in msgspec.structs.fields(KeyOptions) if field.name != "at")


def told(options: KeyOptions) -> dict[str, object]:
    """Those that say something, by name."""
    return {name: value for name in NAMES if (value := getattr(options, name)) is not None}


def checked(values: Mapping[str, object]) -> dict[str, object]:
    """Values by name as they are kept; ValueError, which says what is wrong, for an unknown name or a bad value."""
    for name in values:
        if name not in NAMES:
            raise ValueError(f"There is no option {name!r} of keys; known are {', '.join(NAMES)}.")
    try:
        return told(msgspec.convert(dict(values), KeyOptions))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
