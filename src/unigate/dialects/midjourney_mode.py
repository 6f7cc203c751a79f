"""The speed of a call: relax, fast or turbo. It decides the price, so that what goes upstream must say the same."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

Mode = Literal["relax", "fast", "turbo"]
MODES: tuple[Mode, ...] = get_args(Mode)
DEFAULT: Mode = "fast"

#: What stands before `/mj` in a path; some servers also name there where pictures are fetched.
_SEGMENT = re.compile(r"(?:mj-)?(relax|fast|turbo)(?:-(?:relay|origin|proxy))?")
#: Keyboards make a dash of two hyphens, and servers two hyphens of a dash.
_FLAG = re.compile(r"(?:^|(?<=\s))(?:--|\u2014)(relax|fast|turbo)(?=\s|$)\s*", re.IGNORECASE)


def chosen(key: object, segment: str, body: Mapping[str, object], prompt: str, settings: Mapping[str, object]) -> Mode:
    """The speed that holds: the key's, then of the path, the body, the account filter, the prompt, the deployment."""
    path = _SEGMENT.fullmatch(segment)
    wanted = body.get("accountFilter")
    modes = wanted.get("modes") if isinstance(wanted, Mapping) else None
    flag = _FLAG.search(prompt)
    for told in (
        key,
        path[1] if path else None,
        body.get("mode"),
        modes[0] if isinstance(modes, list) and modes else None,
        flag[1] if flag else None,
        settings.get("mode"),
    ):
        if (found := known(told)) is not None:
            return found
    return DEFAULT


def known(told: object) -> Mode | None:
    """The speed that a value names, in upper or lower case; None: none."""
    name = told.lower() if isinstance(told, str) else ""
    return next((mode for mode in MODES if mode == name), None)


def without_flags(prompt: str, mode: Mode) -> str:
    """The prompt without flags of another speed."""
    return _FLAG.sub(lambda found: found[0] if found[1].lower() == mode else "", prompt).rstrip() if prompt else prompt
