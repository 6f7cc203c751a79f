"""What a target of notifications can be: checked, and made into its row. What it keeps secret is sealed there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest
from unigate.manage.desk import Desk, json_text
from unigate.manage.users import checked_email
from unigate.store.notifications import Target
from unigate.tasks import signing
from unigate.tasks.account_events import EVENTS, may_ask
from unigate.tasks.account_forms import PRIORITIES, Kept, check_template
from unigate.tasks.account_post import context, opened
from unigate.tasks.addresses import check_address

KINDS = ("email", "webhook", "bark", "gotify")
FORMATS = ("standard", "newapi")
LONGEST_SECRET, LONGEST_TEMPLATE, LONGEST_VALUE, MOST_HEADERS = 128, 10_000, 1000, 10
#: Stands for what is kept and not shown; sent back, it stays.
HIDDEN = "***"
_PRIORITY = 5
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]*")
_OURS = re.compile(
    r"host|content-.*|transfer-encoding|connection|te|trailer|upgrade|webhook-.*|x-webhook-signature", re.IGNORECASE
)
_PLACES = ("{{title}}", "{{content}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetForm:
    """A target as somebody wants it; None: as it is, or for a new one as usual."""

    #: None: a new one.
    id: str | None = None
    kind: str
    enabled: bool | None = None
    #: Empty: what is told without asking.
    events: tuple[str, ...] | None = None
    #: Of an e-mail; "": the account's.
    address: str | None = None
    url: str | None = None
    format: str | None = None
    secret: str | None = None
    headers: Mapping[str, str] | None = None
    template: str | None = None
    token: str | None = None
    priority: int | None = None


#: Which fields there are beside those that every target has.
_FIELDS: Mapping[str, frozenset[str]] = {
    "email": frozenset({"address"}),
    "webhook": frozenset({"url", "format", "secret", "headers", "template"}),
    "bark": frozenset({"url"}),
    "gotify": frozenset({"url", "token", "priority"}),
}


def target_of(
    desk: Desk, user_id: str, role: str, form: TargetForm, old: Target | None, *, place: int, allow_private: bool
) -> tuple[Target, str]:
    """The row of a target, and its secret where that was made just now (else ""); BadRequest, naming `targets.N.field`."""
    try:
        return _target(desk, user_id, role, form, old, place, allow_private=allow_private)
    except BadRequest as error:
        named = f"targets.{place}" + (f".{error.param}" if error.param else "")
        raise BadRequest(error.message, code=error.code, param=named) from None


def kept_of(desk: Desk, target: Target) -> Kept:
    """What is sealed in a target's row."""
    return opened(desk.vault.open, target)


def seal(desk: Desk, target: Target, kept: Kept) -> Target:
    """A target's row with what is to be sealed in it."""
    if kept == Kept():
        return replace(target, sealed=b"")
    return replace(target, sealed=desk.vault.seal(json_text(kept), context(target.id)).encode())


def _target(  # noqa: PLR0917 - whose, what is wanted, and what there is
    desk: Desk, user_id: str, role: str, form: TargetForm, old: Target | None, place: int, *, allow_private: bool
) -> tuple[Target, str]:
    _check_fields(form, old)
    base = old or Target(ids.new("target"), user_id, place, form.kind, "", created_at=now_ms())
    was = kept_of(desk, base)
    new = replace(base, position=place, address=_address(form, base, allow_private=allow_private))
    if form.kind == "webhook":
        new = replace(new, format=_format(form.format or base.format or "standard"), template=_template(form, base))
        if new.template and new.format != "newapi":
            raise BadRequest("Only the format newapi has a body of one's own.", param="template")
    if form.kind == "gotify":
        priority = form.priority if form.priority is not None else base.priority if old else _PRIORITY
        if not PRIORITIES[0] <= priority <= PRIORITIES[1]:
            raise BadRequest("A priority lies between 0 and 10.", param="priority")
        new = replace(new, priority=priority)
    if form.events is not None:
        new = replace(new, events=json_text(_events(form.events, role)))
    if form.enabled is not None:
        new = replace(new, enabled=int(form.enabled), disabled_because="")
        if form.enabled and not base.enabled:
            new = replace(new, failing_since=0)
    known = was if new.format == base.format else msgspec.structs.replace(was, secret="", before="", until=0)
    secret, made = _secret(form, new, known)
    kept = msgspec.structs.replace(_with_secret(known, secret), token=_token(form, was), headers=_headers(form, was))
    sealed = new if kept == was and new.id == base.id and old is not None else seal(desk, new, kept)
    return sealed, made


def _check_fields(form: TargetForm, old: Target | None) -> None:
    if form.kind not in KINDS:
        raise BadRequest(f"A target is {', '.join(KINDS)}, not {form.kind!r}.", param="kind")
    if old is not None and form.kind != old.kind:
        raise BadRequest("A target stays of its kind: make another one.", param="kind")
    own = _FIELDS[form.kind]
    for name in ("address", "url", "format", "secret", "headers", "template", "token", "priority"):
        if getattr(form, name) not in (None, "", {}) and name not in own:
            raise BadRequest(f"A target of the kind {form.kind} has no {name}.", param=name)


def _address(form: TargetForm, base: Target, *, allow_private: bool) -> str:
    if form.kind == "email":
        if form.address is None:
            return base.address
        return checked_address(form.address)
    url = base.address if form.url is None else form.url
    if not url:
        raise BadRequest(f"A target of the kind {form.kind} needs its url.", param="url")
    plain = url
    if form.kind == "bark":
        if not all(one in url for one in _PLACES):
            raise BadRequest("The URL has {{title}} and {{content}} where they belong.", param="url")
        if "{{" in url.partition("//")[2].partition("/")[0]:
            raise BadRequest("What is filled in can't stand in the name of the host.", param="url")
        for one in _PLACES:
            plain = plain.replace(one, "x")
    check_address(plain, allow_private, param="url")
    return url


def checked_address(address: str) -> str:
    """An e-mail address, or none; BadRequest."""
    if not address:
        return ""
    try:
        return checked_email(address)
    except BadRequest as error:
        raise BadRequest(error.message, param="address") from None


def _format(name: str) -> str:
    if name not in FORMATS:
        raise BadRequest(f"A format is {' or '.join(FORMATS)}, not {name!r}.", param="format")
    return name


def _template(form: TargetForm, base: Target) -> str:
    if form.template is None:
        return base.template if (form.format or base.format) == "newapi" else ""
    if len(form.template) > LONGEST_TEMPLATE:
        raise BadRequest(f"A template has at most {LONGEST_TEMPLATE} characters.", param="template")
    try:
        if form.template:
            check_template(form.template)
    except ValueError as error:
        raise BadRequest(f"This template can't be used: {error}.", param="template") from None
    return form.template


def _events(given: tuple[str, ...], role: str) -> list[str]:
    for event in given:
        if event not in EVENTS:
            raise BadRequest(f"An event is one of {', '.join(EVENTS)}, not {event!r}.", param="events")
        if not may_ask(event, role):
            raise BadRequest(f"The event {event} is for operators.", param="events")
    return sorted(set(given))


def _secret(form: TargetForm, new: Target, was: Kept) -> tuple[str, str]:
    """By what a webhook signs, and the same where it was made just now."""
    if form.kind != "webhook":
        return "", ""
    if form.secret is not None and len(form.secret) > LONGEST_SECRET:
        raise BadRequest(f"A secret has at most {LONGEST_SECRET} characters.", param="secret")
    if new.format == "newapi":
        return (was.secret if form.secret is None else form.secret), ""
    if form.secret and not signing.is_secret(form.secret):
        raise BadRequest("A secret is `whsec_` and 24 to 64 bytes in base 64.", param="secret")
    known = was.secret if form.secret is None else form.secret
    if known:
        return known, ""
    made = signing.new_secret()
    return made, made


def _with_secret(was: Kept, secret: str) -> Kept:
    """What is kept with a secret; the one before signs too for a day."""
    if secret == was.secret:
        return was
    before, until = (was.secret, now_ms() + signing.OVERLAP_MS) if was.secret and secret else ("", 0)
    return msgspec.structs.replace(was, secret=secret, before=before, until=until)


def _token(form: TargetForm, was: Kept) -> str:
    token = was.token if form.token is None or form.token == HIDDEN else form.token
    if form.kind == "gotify" and not token:
        raise BadRequest("A target of the kind gotify needs its token.", param="token")
    if len(token) > LONGEST_VALUE:
        raise BadRequest("This token is too long.", param="token")
    return token


def _headers(form: TargetForm, was: Kept) -> dict[str, str]:
    if form.headers is None:
        return was.headers
    if len(form.headers) > MOST_HEADERS:
        raise BadRequest(f"There are at most {MOST_HEADERS} headers.", param="headers")
    found: dict[str, str] = {}
    known, seen = {name.lower(): value for name, value in was.headers.items()}, set()
    for name, given in form.headers.items():
        value = known.get(name.lower(), "\0") if given == HIDDEN else given
        if not _NAME.fullmatch(name) or _OURS.fullmatch(name) or name.lower() in seen:
            raise BadRequest(f"The header {name!r} can't be added.", param="headers")
        if not _VALUE.fullmatch(value) or len(value) > LONGEST_VALUE:
            raise BadRequest(f"This value of the header {name!r} can't be sent.", param="headers")
        seen.add(name.lower())
        found[name] = value
    return found
