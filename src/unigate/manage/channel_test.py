"""Channel test: one tiny call to a channel's provider with each of its credentials, past routing and billing."""

from dataclasses import dataclass, replace

import msgspec

from unigate.base.clock import monotonic
from unigate.base.errors import BadRequest, NotFound, UpstreamError
from unigate.dialects import dialect
from unigate.manage import load
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk
from unigate.manage.doctor import paid_operations
from unigate.spec.channel import Channel, Timeouts
from unigate.spec.provider import Credential, Request
from unigate.upstream import Client, Endpoint, endpoint

#: Longest answer that is read, in bytes, and longest message that is shown, in characters.
_MOST = 1_000_000
_SHOWN = 300
_OK = 200
_OPERATION = "openai.chat"
_HEADERS = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"), (b"user-agent", b"unigate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How one credential fared."""

    credential: str
    ok: bool
    #: The provider's status, 0 where there was none.
    status: int
    milliseconds: int
    message: str


async def try_channel(
    desk: Desk,
    name: str,
    *,
    model: str | None = None,
    client: Client | None = None,
    allow_private: bool = False,
    seconds: float = 30.0,
    actor: Actor = SHELL,
) -> list[Tried]:
    """Ask for one token with each credential; NotFound, BadRequest where there is nothing to ask with.

    `name` is the channel's, or its id; `model` a public name, the first that the channel names where None. `client` is the
    one to ask with, one of its own where None. It costs what the provider charges for it.
    """
    channel = await loaded(desk, name)
    upstream = _upstream_model(channel, model)
    asking = client or Client()
    limits = bounded(channel.timeouts, seconds)
    try:
        tried = [
            await _try(asking, channel, c, upstream, limits, allow_private=allow_private) for c in channel.credentials
        ]
    finally:
        if client is None:
            await asking.close()
    async with desk.db.writing() as tx:
        well = {one.credential: one.ok for one in tried}
        await noted(tx, actor, "test", "channel", channel.id, channel.name, after={"model": upstream, "ok": well})
    return tried


async def loaded(desk: Desk, name: str) -> Channel:
    """A channel by name or id, as calls see it; NotFound."""
    for channel in await load.load_channels(desk.db, desk.vault, desk.providers):
        if name in (channel.name, channel.id):
            return channel
    raise NotFound(f"There is no channel {name!r} that could be asked.")


def bounded(timeouts: Timeouts, seconds: float) -> Timeouts:
    """The channel's own, for an operator who waits for the answer."""
    return replace(timeouts, first_byte=min(seconds, timeouts.first_byte), total=seconds)


def _upstream_model(channel: Channel, model: str | None) -> str:
    if not channel.credentials:
        raise BadRequest(f"The channel {channel.name!r} has no credential to test with.")
    if model is None:
        model = next((name for name in channel.models if not name.endswith("*")), None)
        if model is None:
            raise BadRequest("This channel names no model of its own: say which one to ask with --model.")
    return channel.models.get(model) or model


async def _try(
    client: Client, channel: Channel, credential: Credential, model: str, timeouts: Timeouts, *, allow_private: bool
) -> Tried:
    operation = next((row for row in paid_operations(channel) if row.name == _OPERATION), None)
    if operation is None:
        raise BadRequest(f"The provider {channel.provider.name!r} has no operation that a test could call.")
    made = channel.provider.request(operation.upstream_path, operation.name, model, credential, channel.options)
    where, base = endpoint_of(channel, allow_private=allow_private)
    given = {name for name, _ in made.headers}
    headers = tuple(header for header in _HEADERS if header[0] not in given) + made.headers
    request = Request(made.method, base + made.target, headers)
    began = monotonic()
    status, message = 0, ""
    try:
        answer = await client.send(where, request, _body(channel, operation.dialect, model), timeouts)
        status = answer.status
        content = await answer.read(_MOST)
        if status != _OK:
            message = told(content)
    except UpstreamError as error:
        message = f"{error.message} {error.detail}".strip()
    return Tried(
        credential=credential.id,
        ok=status == _OK and not message,
        status=status,
        milliseconds=round((monotonic() - began) * 1000),
        message=message[:_SHOWN].replace(credential.secret, "***") if credential.secret else message[:_SHOWN],
    )


def _body(channel: Channel, spoken: str, model: str) -> bytes:
    """The smallest chat, edited for this provider as a caller's would be."""
    speech = dialect(spoken)
    body = msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": "Say ok."}]})
    provider = channel.provider
    edits = speech.Edits(model=model, output_limit=1, limit_field=provider.limit_field)
    edited, _ = provider.adjust_request(speech.edit(body, speech.read(body), edits), channel.options)
    return edited


def endpoint_of(channel: Channel, *, allow_private: bool) -> tuple[Endpoint, str]:
    """Where a channel's provider is, and the path of its base URL."""
    options = channel.options
    return endpoint(
        channel.base_url,
        proxy=str(options["proxy"]) if options.get("proxy") else None,
        allow_private=allow_private,
        verify=options.get("tls_verify", True) is not False,
        ca_file=str(options["ca_file"]) if "ca_file" in options else None,
    )


def told(content: bytes) -> str:
    """What the provider says of its refusal: the message of an error object, else the text as it is."""
    try:
        found = msgspec.json.decode(content)
        error = found.get("error", found) if isinstance(found, dict) else found
        message = error.get("message", error) if isinstance(error, dict) else error
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = content.decode("utf-8", "replace")
    return str(message)
