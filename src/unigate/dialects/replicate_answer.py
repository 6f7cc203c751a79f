"""Reading Replicate's predictions as its servers answer them: state, files, what was consumed.

https://replicate.com/docs/reference/http#predictions.get
"""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects.replicate_known import Known
from unigate.dialects.replicate_write import TOLD
from unigate.spec.task import Answered, Failure, Json, Output, Progress

_STATES: Mapping[str, str] = {
    "starting": "queued",
    "processing": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
    "aborted": "failed",
}
_VIDEO = re.compile(r"\.(?:mp4|webm|mov|gif)(?:[?#]|$)", re.IGNORECASE)
#: What models say of inputs and outputs that may not be.
_AGAINST_THE_RULES = re.compile(r"\bNSFW\b|flagged as sensitive|\(E005\)")
_FILE = re.compile(r"https?://\S+|data:[\w.+/-]+[;,]\S*")
#: A bar of progress in the logs; the last one counts.
_PERCENT = re.compile(r"(\d{1,3})%\|")
#: Logs are kept from their beginning: streams and callbacks tell by their length what is new in them.
_LONGEST_LOGS = 100_000


def read(answered: Answered) -> dict[str, Any]:
    """A prediction as the vendor answers it; BadAnswer."""
    try:
        return msgspec.json.decode(answered.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(detail=f"no prediction: {error}") from None


def progress(handle: Json, told: Mapping[str, Any], known: Known | None) -> Progress:
    """What a prediction says of itself. BadAnswer for a status that is none."""
    state = _STATES.get(str(told.get("status")))
    if state is None:
        raise BadAnswer(detail=f"a prediction with the status {str(told.get('status'))[:50]!r}")
    logs = told.get("logs")
    text = logs if isinstance(logs, str) else ""
    output = told.get("output")
    if state == "succeeded" and output in (None, [], "") and told.get("data_removed"):
        raise BadAnswer(detail="the output was removed before it was fetched")
    files = tuple(_outputs(output, known)) if state == "succeeded" else ()
    units = _units(told, files)
    if units is None and files and not handle.get("timed"):
        units = _counted(files)
    detail = {name: told[name] for name in TOLD if name in told}
    if state in {"failed", "canceled"}:
        detail.pop("output", None)  # it is shown to nobody, and may hold whole files
    percents = _PERCENT.findall(text[-2000:])
    return Progress(
        state=state,  # type: ignore[arg-type]
        percent=100 if state == "succeeded" else min(int(percents[-1]), 99) if percents else None,
        detail={**detail, "logs": text[:_LONGEST_LOGS]},
        outputs=files,
        error=_failure(told) if state == "failed" else None,
        units=units,
        # What is paid by the second is billed as far as it ran.
        billed=state == "canceled" and bool(handle.get("timed")) and bool(units and units.get("milliseconds")),
    )


def _outputs(output: object, known: Known | None) -> list[Output]:
    """The files of an output, each once; text that is no address is no file."""
    if isinstance(output, str):
        if _FILE.fullmatch(output) is None:
            return []
        film = bool(_VIDEO.search(output)) or output.startswith("data:video") or _films(known, output)
        return [Output(url=output, kind="video" if film else "image")]
    inner = output.values() if isinstance(output, Mapping) else output if isinstance(output, list) else ()
    return list({one.url: one for value in inner for one in _outputs(value, known)}.values())


def _films(known: Known | None, address: str) -> bool:
    """Whether a file without a telling name is a film: the stills of an animation have names."""
    return known is not None and known.makes == "video" and "." not in address.rpartition("/")[2]


def _failure(told: Mapping[str, Any]) -> Failure:
    error = told.get("error")
    words = error if isinstance(error, str) and error else "The prediction failed."
    code = "moderation_blocked" if _AGAINST_THE_RULES.search(words) else "prediction_failed"
    return Failure(code="aborted" if told.get("status") == "aborted" else code, message=words[:2000])


def _units(told: Mapping[str, Any], files: tuple[Output, ...]) -> dict[str, int] | None:
    """Milliseconds, pictures and films; None where it does not say how long it ran."""
    metrics = told.get("metrics")
    seconds = metrics.get("predict_time") if isinstance(metrics, Mapping) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1 << 30:
        return None
    return {"milliseconds": ceil(round(seconds * 1000, 3)), **_counted(files)}


def _counted(files: tuple[Output, ...]) -> dict[str, int]:
    films = sum(one.kind == "video" for one in files)
    return {"images": len(files) - films, "videos": films}
