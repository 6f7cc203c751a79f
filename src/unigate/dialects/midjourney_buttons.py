"""Buttons of a task: what each `customId` does, and which one a change by number means.

The families are those that Midjourney's bot gives its messages; what stands behind them is a message's hash.
"""

import re
from collections.abc import Mapping, Sequence

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
#: One press, four tasks: no reply of ours could name them all.
_NOT_OFFERED = "MJ::Job::PicReader::all"

Button = Mapping[str, object]


def family(custom_id: str) -> str | None:
    """What a button does, by the name that it is priced by; `bookmark` for the one that makes no task, None: unknown."""
    return next((name for pattern, name in _FAMILIES if pattern.match(custom_id)), None)


def shown(buttons: object) -> list[Button]:
    """The buttons of a task that can be pressed."""
    if not isinstance(buttons, list):
        return []
    return [one for one in buttons if isinstance(one, Mapping) and one.get("customId") != _NOT_OFFERED]


def ids(buttons: object) -> Sequence[str]:
    """Their customIds."""
    return [str(one.get("customId", "")) for one in shown(buttons)]


def of_change(action: str, index: int, buttons: object) -> str | None:
    """The customId of the button that a change means; None where the task has none."""
    begins = _CHANGES[action].format(index)
    return next((one for one in ids(buttons) if one.startswith(begins)), None)
