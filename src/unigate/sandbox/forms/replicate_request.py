"""What a call to Replicate asks for: model, input, webhook, and how long to wait. Refuses what the vendor refuses.

https://replicate.com/docs/reference/http#predictions.create
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from starlette.datastructures import Headers

from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.forms.replicate_models import MODELS, VERSIONS, Model
from unigate.sandbox.serving.answer import Object

Moment = Literal["start", "output", "logs", "completed"]

MOMENTS: tuple[Moment, ...] = ("start", "output", "logs", "completed")
_USUAL_MOMENTS: frozenset[Moment] = frozenset(("output", "completed"))
_HIDDEN = "hidden"
_LONGEST_WAIT = 60
_SHORTEST_LIFE = 5
_WAIT = re.compile(r"wait(?:=([1-9][0-9]?))?")
_LIFE = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that was found good."""

    model: Model
    #: As the prediction tells it: an id, or `hidden`.
    version: str
    #: The input as it was sent.
    input: Object
    webhook: str
    moments: frozenset[Moment]
    #: Seconds that the caller waits for the end; 0: not at all.
    wait: int
    #: Seconds after which it is cancelled; 0: never.
    life: int
    deployment: str = ""

    def filled(self) -> Object:
        """The input with what usually holds where it says nothing."""
        usual = {field.name: field.usual for field in self.model.fields if field.usual is not None}
        return {**usual, **self.input}


def by_version(body: bytes, headers: Headers) -> Asked:
    """A call that names a version: an id, `owner/name:id`, or `owner/name` of an official model."""
    told = _object(body)
    version = told.get("version")
    if not isinstance(version, str):
        kind, words = ("required", "version is required") if version is None else ("invalid_type", "version: no string")
        raise errors.invalid([(kind, "", words)])
    name, colon, id = version.rpartition(":")
    if not colon and "/" in version:
        model = MODELS.get(version)
        if model is None or not model.official:
            raise errors.no_version()
        return _asked(told, headers, model, _HIDDEN)
    model = VERSIONS.get(id) if _HASH.fullmatch(id) else None
    if model is None or name not in ("", model.name):
        raise errors.no_version()
    return _asked(told, headers, model, id)


def by_model(body: bytes, headers: Headers, model: Model, deployment: str = "") -> Asked:
    """A call to a model, or to a deployment of it."""
    return _asked(_object(body), headers, model, model.version if deployment else _HIDDEN, deployment)


def _asked(told: Object, headers: Headers, model: Model, version: str, deployment: str = "") -> Asked:
    given = told.get("input")
    if not isinstance(given, dict):
        kind, words = ("required", "input is required") if given is None else ("invalid_type", "input: no object")
        raise errors.invalid([(kind, "", words)])
    if findings := _findings(model, given):
        raise errors.invalid(findings)
    webhook, moments = _webhook(told)
    return Asked(
        model=model,
        version=version,
        input=given,
        webhook=webhook,
        moments=moments,
        wait=_wait(headers),
        life=_life(headers),
        deployment=deployment,
    )


def _object(body: bytes) -> Object:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise errors.Problem(400, "Bad request", "The request body is not valid JSON.") from None
    if not isinstance(told, dict):
        raise errors.Problem(400, "Bad request", "The request body is not a JSON object.")
    return told


def _findings(model: Model, given: Mapping[str, Any]) -> list[errors.Finding]:
    """All that the vendor finds wrong with an input. Fields that the model does not have are ignored."""
    found: list[errors.Finding] = [
        ("required", "input", f"{field.name} is required")
        for field in model.fields
        if field.required and field.name not in given
    ]
    for field in model.fields:
        if field.name in given:
            path = f"input.{field.name}"
            found += [(kind, path, words) for kind, words in field.wrong(given[field.name])]
    return found


def _webhook(told: Object) -> tuple[str, frozenset[Moment]]:
    """Where to report, and of what. The old `webhook_completed` reports the end only."""
    ending = told.get("webhook") is None and told.get("webhook_completed") is not None
    name = "webhook_completed" if ending else "webhook"
    url = told.get(name)
    if url is None:
        return "", frozenset()
    if not isinstance(url, str) or not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise errors.invalid([("format", name, "Does not match format 'uri'")])
    if ending:
        return url, frozenset(("completed",))
    chosen = told.get("webhook_events_filter")
    if chosen is None:
        return url, _USUAL_MOMENTS
    if not isinstance(chosen, list) or not all(moment in MOMENTS for moment in chosen):
        words = 'webhook_events_filter must be a list of the following: "start", "output", "logs", "completed"'
        raise errors.invalid([("enum", "webhook_events_filter", words)])
    return url, frozenset(chosen)


def _wait(headers: Headers) -> int:
    """Seconds of `Prefer: wait=n`; other preferences are none of the vendor's."""
    for preference in headers.get("prefer", "").split(","):
        name = preference.strip()
        if name.partition("=")[0].strip().lower() != "wait":
            continue
        found = _WAIT.fullmatch(name)
        if found is None:
            words = "Does not match pattern '^wait(=([1-9]|[1-9][0-9]|60))?$'"
            raise errors.invalid([("pattern", "Prefer", words)])
        return min(_LONGEST_WAIT, int(found[1] or _LONGEST_WAIT))
    return 0


def _life(headers: Headers) -> int:
    """Seconds of `Cancel-After`."""
    told = headers.get("cancel-after", "").strip()
    if not told:
        return 0
    found = _LIFE.fullmatch(told)
    seconds = (
        0
        if found is None
        else sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))
    )
    if seconds < _SHORTEST_LIFE:
        words = f"Must be a duration such as 30s, 5m or 1h30m, at least {_SHORTEST_LIFE} seconds"
        raise errors.invalid([("format", "Cancel-After", words)])
    return seconds
