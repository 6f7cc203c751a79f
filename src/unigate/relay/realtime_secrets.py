"""`POST /v1/realtime/client_secrets` and its older forms: a short-lived secret by which a browser opens a session.

The provider makes it, with the session's configuration bound to it, and we put a secret of our own in its place: sealed, it
holds the provider's, and for whom and by which channel it was made. So it works here only, where sessions are paid, and ends
with the key that it was made by. Callers of groups that the operator names get the provider's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.access.secrets import CannotOpen, Vault
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadAnswer, BadRequest, InvalidJson, InvalidKey, UpstreamError, UpstreamRefused
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.routing.plans import upstream_name
from unigate.spec.binding import Binding
from unigate.spec.reply import Reply

#: By which ours are told from keys.
PREFIX = "ek_"
#: The model of a session that only writes down, where the caller names none.
WRITER = "gpt-4o-transcribe"
_CONTEXT = "realtime"
_ERROR_LIMIT = 256 << 10
_SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """What is sealed in a secret of ours."""

    #: The key that it was made by.
    key: str
    #: The model's public name.
    model: str
    channel: str
    credential: str
    #: The provider's secret.
    secret: str
    #: Milliseconds since 1970.
    ends_at: int

    def place(self, user_id: str) -> Binding:
        """Where the provider knows it."""
        return Binding(
            kind="client secret",
            public_id="",
            upstream_id="",
            channel_id=self.channel,
            credential_id=self.credential,
            user_id=user_id,
            model=self.model,
            created_at=0,
        )


def sealed(vault: Vault, ephemeral: Ephemeral) -> str:
    """The secret that a caller gets; of characters that may stand in the name of a subprotocol."""
    return PREFIX + vault.seal(msgspec.json.encode(ephemeral).decode(), _CONTEXT).rstrip("=")


def opened(vault: Vault, presented: str, at: int) -> Ephemeral:
    """What a secret of ours holds; InvalidKey where it is none, or its time is over."""
    text = presented.removeprefix(PREFIX)
    version, _, rest = text.partition(".")
    name, _, body = rest.partition(".")
    try:
        told = vault.open(f"{version}.{name}.{body}{'=' * (-len(body) % 4)}", _CONTEXT)
        found = msgspec.json.decode(told, type=Ephemeral)
    except (CannotOpen, msgspec.DecodeError):
        raise InvalidKey("Incorrect client secret provided.") from None
    if at >= found.ends_at:
        raise InvalidKey("This client secret has expired.", code="key_expired")
    return found


async def create(call: Call, svc: Services) -> Reply:
    """Have a provider make a secret. Forbidden, BadRequest, NotFound; UpstreamRefused with what the provider refuses."""
    asked = _decoded(call.body)
    session = asked.get("session", asked)
    if not isinstance(session, dict):
        raise BadRequest("The session is not an object.", param="session")
    writer = writer_in(session)
    model = session.get("model")
    if model is None and _only_writes(call, session):
        model = (writer or {}).get("model") or WRITER
    if not isinstance(model, str) or not model:
        raise BadRequest("You must provide a model parameter.", param="session.model", code="missing_model")
    names = {model, (writer or {}).get("model", model)}
    for name in names:
        svc.keys.check(call.key, name, call.x.client, call.at, call.operation)
    candidates = svc.router.routes(model, call.key.group.name, call.operation)
    for name in names:
        svc.prices.quote("openai.realtime", name, call.key.group, call.at)
    candidate, told = await _made(call, svc, candidates, _Asked(asked, session, writer))
    if call.key.group.name in svc.settings.realtime.direct_groups:
        return Reply(msgspec.json.encode(told))
    holder = told["client_secret"] if isinstance(told.get("client_secret"), dict) else told
    secret, ends = holder.get("value"), holder.get("expires_at")
    if not isinstance(secret, str) or not isinstance(ends, int):
        raise BadAnswer(detail="the provider's answer holds no secret")
    holder["value"] = sealed(
        svc.keys.vault,
        Ephemeral(
            key=call.key.id,
            model=model,
            channel=candidate.route.channel.id,
            credential=candidate.credential.id,
            secret=secret,
            ends_at=ends * _SECOND,
        ),
    )
    return Reply(msgspec.json.encode(told))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and in it the session, and in that the part about writing down."""

    whole: dict[str, Any]
    session: dict[str, Any]
    writer: dict[str, Any] | None


async def _made(
    call: Call, svc: Services, candidates: list[Candidate], asked: _Asked
) -> tuple[Candidate, dict[str, Any]]:
    """What the first provider says that makes one."""
    failures: list[UpstreamError] = []
    session, writer = asked.session, asked.writer
    heard = writer["model"] if writer is not None else ""
    for candidate in candidates:
        if not candidate.take():
            continue
        if "model" in session:
            session["model"] = candidate.route.model
        if writer is not None:
            writer["model"] = upstream_name(candidate.route.channel.models, heard) or heard
        try:
            return candidate, await ask(call, svc, candidate, msgspec.json.encode(asked.whole))
        except UpstreamError as failure:
            verdict = svc.router.failed(candidate, failure)
            if verdict.passes_through:
                raise
            failures.append(failure)
            if not verdict.try_next:
                break
        finally:
            candidate.done()
    raise final(failures)


async def ask(call: Call, svc: Services, candidate: Candidate, body: bytes) -> dict[str, Any]:
    """A provider's answer to a call that is made once; UpstreamError."""
    channel = candidate.route.channel
    endpoint, request = svc.upstreams.to(candidate, call.operation)
    began = monotonic()
    answer = await svc.upstreams.client.send(endpoint, request, body, channel.timeouts)
    try:
        if not 200 <= answer.status < 300:
            status, told = channel.provider.adjust_error(answer.status, await answer.read(_ERROR_LIMIT))
            wait = read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms())
            raise UpstreamRefused(status, told, content_type=answer.header(b"content-type") or b"", retry_after=wait)
        found: object = msgspec.json.decode(await answer.read(svc.settings.relay.answer_bytes))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the provider's answer is no JSON") from None
    except BaseException:
        answer.abort()
        raise
    if not isinstance(found, dict):
        raise BadAnswer(detail="the provider's answer is no object")
    svc.router.worked(candidate, monotonic() - began)
    return found


def _decoded(body: bytes) -> dict[str, Any]:
    """The request; InvalidJson, BadRequest."""
    try:
        asked: object = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidJson from None
    if not isinstance(asked, dict):
        raise BadRequest("The request body is not an object.")
    return asked


def _only_writes(call: Call, session: Mapping[str, object]) -> bool:
    """Whether the session answers nothing: it writes down what is said."""
    return session.get("type") == "transcription" or call.operation.name.endswith("transcription_sessions")


def writer_in(session: Mapping[str, Any]) -> dict[str, Any] | None:
    """The part that says by which model is written down."""
    sound = session.get("audio")
    heard = sound.get("input") if isinstance(sound, dict) else None
    for place in (
        heard.get("transcription") if isinstance(heard, dict) else None,
        session.get("input_audio_transcription"),
    ):
        if isinstance(place, dict) and isinstance(place.get("model"), str):
            return place
    return None
