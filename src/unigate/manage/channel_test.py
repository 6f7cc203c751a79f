"""Channel test: one tiny call to a channel's provider with each of its credentials, past routing and billing.

Where the provider only makes tasks, which are never tiny, it is the provider's free `probe`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadRequest, NotFound, UpstreamError
from unigate.dialects import dialect
from unigate.manage import load, shipped
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk
from unigate.manage.doctor import paid_operations
from unigate.spec.channel import Channel, Timeouts
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential, Request
from unigate.spec.task import Answered
from unigate.upstream import Client, Endpoint, below, endpoint

#: Longest answer that is read, in bytes, and longest message that is shown, in characters.
_MOST = 1_000_000
_SHOWN = 300
_OK = 200
#: What is asked for, by dialect; those that are most at home with providers come first.
_ASKED: Mapping[str, Mapping[str, object]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "Say ok."}]},
    "openai_responses": {"input": "Say ok.", "store": False},
    "openai_completions": {"prompt": "Say ok."},
    "openai_embeddings": {"input": "ok"},
    "openai_moderations": {"input": "ok"},
    "cohere_embed": {"texts": ["ok"], "input_type": "search_query"},
    "rerank": {"query": "ok", "documents": ["ok"]},
}
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
    operation: str | None = None,
    client: Client | None = None,
    allow_private: bool = False,
    seconds: float = 30.0,
    actor: Actor = SHELL,
) -> list[Tried]:
    """Ask for as little as can be with each credential; NotFound, BadRequest where there is nothing to ask with.

    `name` is the channel's, or its id; `model` a public name, the first that the channel names where None; `operation` by
    which to ask, the one that fits the model where None. `client` is the one to ask with, one of its own where None. It
    costs what the provider charges for it; a provider of tasks is asked what is free.
    """
    channel = await loaded(desk, name)
    if not channel.credentials:
        raise BadRequest(f"The channel {channel.name!r} has no credential to test with.")
    trial = _trial(channel, model, operation)
    asking = client or Client()
    limits = bounded(channel.timeouts, seconds)
    try:
        tried = [
            await _try(asking, channel, c, trial, limits, allow_private=allow_private) for c in channel.credentials
        ]
    finally:
        if client is None:
            await asking.close()
    async with desk.db.writing() as tx:
        well = {one.credential: one.ok for one in tried}
        after = {"model": trial.model, "operation": trial.operation, "ok": well}
        await noted(tx, actor, "test", "channel", channel.id, channel.name, after=after)
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


def _model(channel: Channel, model: str | None) -> tuple[str, str]:
    """The public and the upstream name of the model to ask."""
    if model is None:
        model = next((name for name in channel.models if not name.endswith("*")), None)
        if model is None:
            raise BadRequest("This channel names no model of its own: say which one to ask with --model.")
    return model, channel.models.get(model) or model


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What a test asks."""

    #: Its operation and the upstream model; "": a provider's `probe`.
    operation: str = ""
    model: str = ""
    request: Callable[[Credential], Request]
    body: bytes
    #: BadAnswer for one that is good (200) and yet not the provider's.
    read: Callable[[Answered], object] | None = None


def _trial(channel: Channel, model: str | None, operation: str | None) -> _Trial:
    """The smallest call of a model, else the provider's probe; BadRequest where there is neither."""
    spoken = {row.dialect: row for row in paid_operations(channel)}
    rows = [spoken[one] for one in _ASKED if one in spoken]
    provider, options = channel.provider, channel.options
    if rows:
        public, upstream = _model(channel, model)
        row = _operation(rows, (upstream, public), operation)
        return _Trial(
            operation=row.name,
            model=upstream,
            request=lambda one: provider.request(row.upstream_path, row.name, upstream, one, options, now_ms=now_ms()),
            body=_body(channel, row, upstream),
        )
    probe = provider.probe
    if operation is not None or probe is None:
        if not provider.tasks:
            raise BadRequest(f"The provider {provider.name!r} has no operation that a test could call.")
        why = (
            "it cannot be tested without a charge" if probe is None else "without an operation it is asked what is free"
        )
        raise BadRequest(f"The provider {provider.name!r} only makes tasks: {why}.")
    return _Trial(
        request=lambda one: provider.task_request(probe, one, options, now_ms=now_ms()),
        body=probe.body,
        read=provider.read_probe,
    )


def _operation(rows: Sequence[Operation], models: tuple[str, ...], name: str | None) -> Operation:
    """The operation named, else the one that calls a model of one of these names, else what the provider speaks best."""
    if name is not None:
        for row in rows:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in rows)
        raise BadRequest(f"A test of this channel can call {known}, not {name!r}.", param="operation")
    families = {model.name: model.family for model in shipped.models()}
    family = next((families[one] for one in models if one in families), "")
    return next((row for row in rows if row.family == family), rows[0])


async def _try(
    client: Client, channel: Channel, credential: Credential, trial: _Trial, timeouts: Timeouts, *, allow_private: bool
) -> Tried:
    made = trial.request(credential)
    where, base = endpoint_of(channel, allow_private=allow_private)
    given = {name for name, _ in made.headers}
    headers = tuple(header for header in _HEADERS if header[0] not in given) + made.headers
    request = Request(made.method, below(base, made.target), headers)
    began = monotonic()
    status, message = 0, ""
    try:
        answer = await client.send(where, request, trial.body, timeouts)
        status = answer.status
        content = await answer.read(_MOST)
        if status != _OK:
            message = told(content)
        elif trial.read is not None:
            trial.read(Answered(status=status, body=content))
    except UpstreamError as error:
        message = f"{error.message} {error.detail}".strip()
    return Tried(
        credential=credential.id,
        ok=status == _OK and not message,
        status=status,
        milliseconds=round((monotonic() - began) * 1000),
        message=message[:_SHOWN].replace(credential.secret, "***") if credential.secret else message[:_SHOWN],
    )


def _body(channel: Channel, operation: Operation, model: str) -> bytes:
    """The smallest call of an operation, edited for this provider as a caller's would be."""
    speech = dialect(operation.dialect)
    body = msgspec.json.encode({"model": model, **_ASKED[operation.dialect]})
    facts, provider = speech.read(body), channel.provider
    edits = speech.Edits(model=model, output_limit=facts.least_output, limit_field=provider.limit_field)
    edited, _ = provider.adjust_request(speech.edit(body, facts, edits), channel.options)
    translation = provider.translations.get(operation.name)
    return edited if translation is None else translation.request(edited, channel.options)[0]


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
        message = error.get("message", error.get("detail", error)) if isinstance(error, dict) else error
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = content.decode("utf-8", "replace")
    return str(message)
