"""Reading what Replicate's callers ask for: the model that a version means, input, waiting, deadline, callback.

https://replicate.com/docs/reference/http#predictions.create. The gateway refuses what lacks a field or has one of a wrong
type, by the schema of the model; everything else is the vendor's to judge, and fields that are not known travel.
"""

import re
from base64 import b32encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from secrets import token_bytes
from typing import Any

import msgspec

from unigate.base.errors import NotFound
from unigate.dialects import addresses
from unigate.dialects.json_read import decode
from unigate.dialects.replicate_errors import Invalid, NoVersion
from unigate.dialects.replicate_fields import count_of, faults, json_type
from unigate.dialects.replicate_known import Known
from unigate.dialects.replicate_models import MODELS, VERSIONS
from unigate.spec.binding import Binding
from unigate.spec.task import Draft, Notify, Submission

#: As it is priced; prices are those of the model.
OPERATION = "replicate.prediction"
#: Kind of the bindings of uploaded files.
FILE = "replicate_file"
#: Names of deployments begin with it, so that they are told apart from models.
DEPLOYMENTS = "deployments/"
#: The moments of which callbacks tell.
EVENTS = ("start", "output", "logs", "completed")
#: Held for what is not known, by unit; only what the price counts is charged.
_HELD = {"milliseconds": 60_000, "images": 1, "videos": 1}
#: Members of an input that prices may ask for.
_CONDITIONS = ("size", "resolution", "megapixels", "duration", "quality")
#: A caller waits half a second longer than it says, which is to be enough for the way.
_EARLY = 0.5
#: Seconds for which the vendor may be late with an end that it was told.
_LATER = 60.0
_LONGEST_TEXT = 2048

_BODY = msgspec.json.Decoder(dict[str, Any])
_VERSION = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_WAIT = re.compile(r"wait(?:=([1-9]|[1-5][0-9]|60))?")
_SPAN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")
_OUR_FILE = re.compile(r"https?://[^/?#]+/replicate/v1/files/([A-Za-z0-9_-]{1,200})")


def read_task(asked: Submission) -> Draft:
    """The prediction that is asked for. InvalidJson, NotFound; Invalid and NoVersion (422)."""
    body = decode(asked.body, _BODY)
    given = body.get("input")
    if not isinstance(given, Mapping):
        kind = "required" if given is None else "invalid_type"
        raise Invalid([(kind, "input", "input is required" if given is None else _expected("object", given))])
    model, version = _model(asked, body)
    known = _known(model, version)
    if known is not None and (found := list(faults(known.fields, given))):
        raise Invalid(found)
    wait, deadline = _wait(asked.headers.get("prefer", "")), _deadline(asked.headers.get("cancel-after"))
    sent = {"version": version, "cancel_after": deadline}
    facts = {"version": version, "wait": wait, "cancel_after": deadline}
    return Draft(
        operation=OPERATION,
        model=model,
        body={"input": given, **{name: fact for name, fact in sent.items() if fact}},
        input={"input": shortened(given), **{name: fact for name, fact in facts.items() if fact}},
        conditions={name: value for name in _CONDITIONS if isinstance(value := given.get(name), str | int)},
        units={**_HELD, **(known.units(given) if known is not None else _asked(given))},
        notify=_notify(body),
        wait=max(wait - _EARLY, _EARLY) if wait else 0.0,
        # The vendor ends it and says what it cost; we do where nothing is heard of that.
        deadline=deadline + _LATER if deadline else 0.0,
        task_id=b32encode(token_bytes(17)).decode().lower()[:26],
    )


def _expected(kind: str, value: object) -> str:
    return f"Invalid type. Expected: {kind}, given: {json_type(value)}"


def _model(asked: Submission, body: Mapping[str, object]) -> tuple[str, str]:
    """The model's name, and the version where the caller chose one that is not the one that we would send."""
    if "owner" in asked.params:
        name = f"{asked.params['owner']}/{asked.params['name']}"
        if _NAME.fullmatch(name) is None:
            raise NotFound("The requested resource could not be found.")
        if "version" in body:
            raise Invalid([("unknown_field", "version", "The path names what is to run: version is not allowed")])
        return (DEPLOYMENTS + name if "/deployments/" in asked.path else name), ""
    version = body.get("version")
    if not isinstance(version, str):
        kind = "required" if version is None else "invalid_type"
        words = "version is required" if version is None else _expected("string", version)
        raise Invalid([(kind, "version", words)])
    name, _, chosen = version.rpartition(":") if ":" in version else (version, "", "")
    if _VERSION.fullmatch(version):
        known = VERSIONS.get(version)
        return (known.name, "") if known is not None else (version, "")
    if _NAME.fullmatch(name) is None or (chosen and _VERSION.fullmatch(chosen) is None):
        raise NoVersion
    return _chosen(name, chosen)


def _chosen(name: str, version: str) -> tuple[str, str]:
    """Model and version, "" where it is the one that we would send. NoVersion where it is another model's.

    Another version of a model that we know is a model of its own, `owner/name:version`: it might cost more, so the
    operator is to serve and price it by that name. What is paid by the picture has no versions to choose from.
    """
    known, owner = MODELS.get(name), VERSIONS.get(version)
    if owner is not None and owner.name != name:
        raise NoVersion
    if version and known is not None and not known.version:
        raise NoVersion
    if version and known is not None and owner is None:
        return f"{name}:{version}", version
    return name, "" if owner is not None else version


def _known(model: str, version: str) -> Known | None:
    """What is known of the model, where it is the version whose fields we know."""
    return None if version else MODELS.get(model)


def _asked(given: Mapping[str, object]) -> dict[str, int]:
    """Pictures that are asked of a model that is not known, by the field that most of them have."""
    number = count_of(given.get("num_outputs"))
    return {"images": number} if 0 < number <= 100 else {}


def _wait(prefer: str) -> int:
    """Seconds for which the reply may wait, of the header `Prefer`; 0: not at all."""
    for part in prefer.split(","):
        text = part.strip().lower()
        if text.startswith("wait"):
            found = _WAIT.fullmatch(text)
            if found is None:
                raise Invalid([("pattern", "Prefer", "Does not match pattern 'wait=n', n from 1 to 60")])
            return int(found[1] or 60)
    return 0


def _deadline(text: str | None) -> int:
    """Seconds of the header `Cancel-After` (`90s`, `5m`, `1h30m`); 0: none was named."""
    if text is None:
        return 0
    found = _SPAN.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if total < 5:
        raise Invalid([("pattern", "Cancel-After", "Must be a span of at least 5 seconds, such as 90s, 5m or 1h30m")])
    return total


def _notify(body: Mapping[str, object]) -> Notify | None:
    """Whom to tell. `webhook_completed` is the form of old clients."""
    events = body.get("webhook_events_filter")
    if events is not None and not (isinstance(events, list) and all(event in EVENTS for event in events)):
        words = f"webhook_events_filter must be a list of: {', '.join(EVENTS)}"
        raise Invalid([("enum", "webhook_events_filter", words)])
    for name, chosen in (("webhook", tuple(events or ())), ("webhook_completed", ("completed",))):
        url = body.get(name)
        if url is None or url == "":
            continue
        if not isinstance(url, str) or not addresses.plain(url):
            raise Invalid([("format", name, "Does not match format 'uri'")])
        return Notify(url=url, events=tuple(dict.fromkeys(chosen)))
    return None


def shortened(value: object) -> object:
    """An input as it is remembered: files that stand in it are named, not kept."""
    if isinstance(value, str):
        return value[:64] + "..." if len(value) > _LONGEST_TEXT and value.startswith("data:") else value
    if isinstance(value, Mapping):
        return {name: shortened(one) for name, one in value.items()}
    return [shortened(one) for one in value] if isinstance(value, list) else value


def kept_things(draft: Draft) -> tuple[tuple[str, str], ...]:
    """Kind and id of what the draft names and a provider keeps: uploaded files."""
    return tuple(dict.fromkeys((FILE, file) for file in _files(draft.body.get("input"))))


def with_kept(draft: Draft, found: Mapping[str, Binding]) -> Draft:
    """The draft with the provider's own addresses of the files, bound to where they lie. Invalid where one is not there."""
    for _, file in kept_things(draft):
        if file not in found:
            raise Invalid([("not_found", "input", f"The file {file} does not exist or has expired")])
    places = {(one.channel_id, one.credential_id) for one in found.values()}
    if len(places) > 1:
        raise Invalid(
            [("not_found", "input", "The files lie at different providers; upload them again, one after another")]
        )
    return replace(
        draft,
        body={**draft.body, "input": _replaced(draft.body["input"], found)},
        pinned=next(iter(found.values()), None),
    )


def _files(value: object) -> Iterator[str]:
    if isinstance(value, str):
        found = _OUR_FILE.fullmatch(value)
        if found is not None:
            yield found[1]
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _files(one)
    elif isinstance(value, list):
        for one in value:
            yield from _files(one)


def _replaced(value: object, found: Mapping[str, Binding]) -> object:
    if isinstance(value, str):
        ours = _OUR_FILE.fullmatch(value)
        return found[ours[1]].upstream_id if ours is not None else value
    if isinstance(value, Mapping):
        return {name: _replaced(one, found) for name, one in value.items()}
    return [_replaced(one, found) for one in value] if isinstance(value, list) else value
