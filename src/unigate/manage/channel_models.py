"""The models that a channel's provider offers, asked of the provider itself."""

from dataclasses import dataclass

from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, BadRequest
from unigate.manage.channel_test import bounded, endpoint_of, loaded, told
from unigate.manage.desk import Desk
from unigate.spec.provider import Request
from unigate.upstream import Client

_OK = 200
_MOST = 16_000_000
_SHOWN = 300
_HEADERS = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"), (b"user-agent", b"unigate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A model that a provider offers."""

    name: str
    #: The public names under which the channel serves it.
    served_as: list[str]


async def fetch_models(
    desk: Desk,
    name: str,
    *,
    credential: str | None = None,
    client: Client,
    allow_private: bool = False,
    seconds: float = 30.0,
) -> list[Offered]:
    """Ask with the first credential, or the one named. BadRequest where there is none, NotFound, UpstreamError."""
    channel = await loaded(desk, name)
    usable = [one for one in channel.credentials if credential in (None, one.id)]
    if not usable:
        raise BadRequest(f"The channel {channel.name!r} has no such credential in use.", param="credential")
    where, base = endpoint_of(channel, allow_private=allow_private)
    try:
        made = channel.provider.models_request(usable[0], channel.options, now_ms=now_ms())
    except LookupError as error:
        raise BadRequest(f"{error}.") from None
    given = {header for header, _ in made.headers}
    headers = tuple(header for header in _HEADERS if header[0] not in given) + made.headers
    request = Request(made.method, base + made.target, headers)
    answer = await client.send(where, request, b"", bounded(channel.timeouts, seconds))
    content = await answer.read(_MOST)
    if answer.status != _OK:
        said = told(content)[:_SHOWN]
        said = said.replace(usable[0].secret, "***") if usable[0].secret else said
        raise BadAnswer(f"The provider answered {answer.status}: {said}")
    try:
        names = channel.provider.read_models(content)
    except ValueError as error:
        raise BadAnswer(f"The provider's answer could not be read: {error}.") from None
    public: dict[str, list[str]] = {}
    for ours, theirs in channel.models.items():
        public.setdefault(theirs, []).append(ours)
    return [Offered(name=one, served_as=public.get(one, [])) for one in names]
