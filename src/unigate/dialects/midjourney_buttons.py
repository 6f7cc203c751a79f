"""Buttons of a task: what each `customId` does, and which one a change by number means.

The families are those that Midjourney's bot gives its messages; what stands behind them is a message's hash.
"""

import re
from collections.abc import Mapping, Sequence

#: What a button is called that makes several tasks: one of each prompt that a described picture has.
IMAGINE_ALL = "imagine_all"
#: Beginning of a customId -> what the task that it makes is priced as. The first that fits holds.
_FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"MJ::JOB::upsample::[1-4]::", "upscale"),
        (r"MJ::JOB::upsample_\w+::", "upscale_hd"),
        (r"MJ::JOB::video_virtual_upscale::", "upscale"),
        (r"MJ::JOB::variation::[1-4]::", "variation"),
        (r"MJ::JOB::(?:high|low)_variation::", "variation"),
        (r"MJ::JOB::reroll::", "reroll"),
        (r"MJ::JOB::pan_(?:left|right|up|down)::", "pan"),
        (r"MJ::JOB::animate_\w+::", "video"),
        (r"MJ::Outpaint::\d+::", "zoom"),
        (r"MJ::CustomZoom::", "zoom"),
        (r"MJ::Inpaint::", "inpaint"),
        (r"MJ::Picread::Retry$", "describe"),
        (r"MJ::Job::PicReader::[1-4]$", "imagine"),
        (r"MJ::Job::PicReader::all$", IMAGINE_ALL),
        (r"MJ::Job::PromptAnalyzer::[1-5]$", "imagine"),
        (r"MJ::BOOKMARK::", "bookmark"),
    )
)
#: The buttons that `change` and `simple-change` mean, `{}` is the index.
_CHANGES: Mapping[str, str] = {
    "UPSCALE": "MJ::JOB::upsample::{}::",
    "VARIATION": "MJ::JOB::variation::{}::",
    "REROLL": "MJ::JOB::reroll::0::",
}
#: A prompt of a described picture, behind its number (a digit in a keycap, or with a dot).
_NUMBERED = re.compile(r"[ \t]*[1-9](?:\ufe0f?\u20e3|[.)\u3001])[ \t]*(\S.*)")

Button = Mapping[str, object]


def family(custom_id: str) -> str | None:
    """What a button does, by the name that it is priced by; `bookmark`: it makes no task, IMAGINE_ALL: several, None: unknown."""
    return next((name for pattern, name in _FAMILIES if pattern.match(custom_id)), None)


def shown(buttons: object) -> list[Button]:
    """The buttons of a task that can be pressed."""
    return [one for one in buttons if isinstance(one, Mapping)] if isinstance(buttons, list) else []


def prompts(described: str) -> list[str]:
    """The prompts that the words of a describe list, in their order, four at most."""
    found = (_NUMBERED.fullmatch(line) for line in described.splitlines())
    return [one[1].strip() for one in found if one is not None][:4]


def ids(buttons: object) -> Sequence[str]:
    """Their customIds."""
    return [str(one.get("customId", "")) for one in shown(buttons)]


def of_change(action: str, index: int, buttons: object) -> str | None:
    """The customId of the button that a change means; None where the task has none."""
    begins = _CHANGES[action].format(index)
    return next((one for one in ids(buttons) if one.startswith(begins)), None)
