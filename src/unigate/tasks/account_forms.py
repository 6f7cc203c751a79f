"""The bytes in which an event reaches an account's target: one function for each form. Pure; nothing is sent here.

`standard` as Standard Webhooks has it; `newapi` after https://github.com/QuantumNous/new-api (service/webhook.go), whose
receivers check `X-Webhook-Signature`; Bark (https://bark.day.app) and Gotify (https://gotify.net/api-docs).
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from unigate.base.clock import rfc3339
from unigate.spec.task import Headers
from unigate.store.notifications import Target
from unigate.tasks.account_events import newapi_name
from unigate.tasks.account_words import Said

#: What an own body may have filled in.
FIELDS = ("type", "title", "content", "timestamp")
_FIELD = re.compile(r"\{\{(" + "|".join(FIELDS) + r")\}\}")
#: Levels of Gotify's priority.
PRIORITIES = (0, 10)


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed in a target's row."""

    secret: str = ""
    #: A secret before, which signs too until then, in ms since 1970.
    before: str = ""
    until: int = 0
    token: str = ""
    headers: dict[str, str] = {}


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message that is no webhook's: it is put into its own form when it is sent."""

    title: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event on its way to one account."""

    event: str
    #: Milliseconds since 1970.
    at: int
    said: Said
    language: str
    #: Where to top up; "": nobody has said.
    link: str = ""
    #: The task as JSON, where the event is about one.
    task: str = ""

    @property
    def leads_on(self) -> str:
        """The link, where it belongs to this event."""
        return self.link if self.said.onward else ""

    @property
    def full(self) -> str:
        """The text with the link."""
        return f"{self.said.text}{self.said.onward}{self.leads_on}" if self.leads_on else self.said.text


def body(target: Target, happened: Happened) -> bytes:
    """What a target is sent, the same with each try."""
    if target.kind != "webhook":
        text = happened.full if target.kind == "email" else happened.said.text
        return msgspec.json.encode(Text(title=happened.said.title, text=text, language=happened.language))
    if target.format == "newapi":
        return _newapi(target.template, happened)
    return _standard(happened)


def filled(template: str, values: Mapping[str, Any]) -> bytes:
    """An own body with its values, escaped as JSON has it. ValueError where that is no JSON."""

    def put(found: re.Match[str]) -> str:
        text = msgspec.json.encode(str(values[found[1]])).decode()
        return text[1:-1]

    made = _FIELD.sub(put, template).encode()
    try:
        msgspec.json.decode(made)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"with its values filled in it is not JSON: {error}") from None
    return made


def check_template(template: str) -> None:
    """ValueError where an own body is no JSON, whatever is filled in."""
    # none of them may be the rest of an escape
    filled(template, {"type": "a", "title": 'a "title"\\', "content": "a\nline", "timestamp": 1})


def signature(secret: str, body: bytes) -> Headers:
    """How a body of the form `newapi` is signed; not at all without a secret."""
    return ((b"x-webhook-signature", hmac.digest(secret.encode(), body, "sha256").hex().encode()),) if secret else ()


def bark_url(address: str, text: Text) -> str:
    """Where to a message goes by Bark."""
    return address.replace("{{title}}", quote(text.title, safe="")).replace("{{content}}", quote(text.text, safe=""))


def gotify_url(address: str, token: str) -> str:
    """Where to a message goes by Gotify."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/message?token={quote(token, safe='')}"


def gotify_body(text: Text, priority: int) -> bytes:
    """A message as Gotify takes it."""
    return msgspec.json.encode({"title": text.title, "message": text.text, "priority": priority})


def _standard(happened: Happened) -> bytes:
    told = happened.said
    data: Any = {"title": told.title, "content": happened.full}
    if told.values:
        data["values"] = list(told.values)
    data = msgspec.Raw(happened.task.encode()) if happened.task else {**data, **told.data}
    return msgspec.json.encode({"type": happened.event, "timestamp": rfc3339(happened.at), "data": data})


def _newapi(template: str, happened: Happened) -> bytes:
    told, link = happened.said, escape(happened.leads_on)
    text = escape(told.text, quote=False)  # its receivers show it as HTML, and others choose the names in it
    content = f"{text}{told.onward}<a href='{link}'>{link}</a>" if link else text
    seconds = happened.at // 1000
    values = [*told.values, *([happened.leads_on] * 2 if link else [])]
    name = newapi_name(happened.event)
    if template:
        return filled(template, {"type": name, "title": told.title, "content": content, "timestamp": seconds})
    made: dict[str, object] = {"type": name, "title": told.title, "content": content}
    if values:
        made["values"] = values
    return msgspec.json.encode({**made, "timestamp": seconds})
