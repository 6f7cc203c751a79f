"""What Replicate's clients ask beside tasks: lists of predictions, models, the account.

All is answered from what we know; no provider is asked.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from unigate.base.cursor import decode, encode
from unigate.base.errors import NotFound, TooMany
from unigate.dialects import replicate
from unigate.dialects.replicate_errors import missing
from unigate.dialects.replicate_known import Known
from unigate.dialects.replicate_links import is_signed, user_named
from unigate.dialects.replicate_models import MODELS
from unigate.dialects.replicate_shown import HIDDEN, write_account, write_model, write_version, write_versions
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_base import base_of
from unigate.relay.task_events import own_events
from unigate.relay.task_uses import submission, view
from unigate.spec.reply import Pieces, Reply
from unigate.store.pages import Page

#: Streams of one user that one worker keeps open for those who show no key.
STREAMS = 100


async def predictions(call: Call, svc: Services) -> Reply:
    """`GET /predictions`: the user's, newest first; of a key that may see its own numbers only, the key's."""
    asked = replicate.read_page(submission(call, svc))
    found = await svc.tasks.page(
        Page(limit=asked.limit, after=decode(asked.cursor) if asked.cursor else None),
        call.key.user_id,
        key_id=None if call.key.user_view else call.key.id,
        dialect=asked.dialect,
        since=asked.since,
        until=asked.until,
    )
    cursor = encode(found.next)
    following = replicate.next_query(asked, cursor) if cursor else ""
    return Reply(replicate.write_tasks(found.rows, view(call, svc), following))


async def stream(call: Call, svc: Services) -> Pieces:
    """`GET /streams/{id}`: a prediction's events, for whoever has the address that we signed. NotFound, TooMany."""
    asked = submission(call, svc)
    id, user = asked.params["id"], user_named(asked.query)
    secrets = svc.tasks.secrets(user) if "\0" not in id + user else ()
    ours = any(is_signed(id, asked.query, secret, call.at) for secret in secrets)
    task = await svc.tasks.get(id, user) if ours else None
    if task is None or task.dialect != "replicate":
        raise missing(id)
    if svc.streams[user] >= STREAMS:
        raise TooMany("Too many streams are open.", retry_after=1.0)
    seen = svc.tasks.view(None, base=base_of(call.x, svc.settings), user_id=user)
    last = (call.x.header(b"last-event-id") or b"").decode("latin-1")
    events = own_events(svc.tasks, task, lambda before, now: replicate.write_events(before, now, seen, last))
    return replace(events, pieces=_counted(svc, user, events.pieces))


async def _counted(svc: Services, user: str, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The pieces of a stream that counts from the first to the last of them."""
    svc.streams[user] += 1
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    finally:
        svc.streams[user] -= 1
        if not svc.streams[user]:
            del svc.streams[user]


async def model(call: Call, svc: Services) -> Reply:
    """`GET /models/{owner}/{name}`."""
    name, known = _model(call, svc)
    return Reply(write_model(name, known))


async def versions(call: Call, svc: Services) -> Reply:
    """`GET /models/{owner}/{name}/versions`."""
    return Reply(write_versions(_model(call, svc)[1]))


async def version(call: Call, svc: Services) -> Reply:
    """`GET /models/{owner}/{name}/versions/{version}`; NotFound for a version that we do not know."""
    asked = submission(call, svc).params["version"]
    known = _model(call, svc)[1]
    if known is None or asked != (known.version or HIDDEN):
        raise missing(asked)
    return Reply(write_version(known))


async def account(call: Call, svc: Services) -> Reply:  # noqa: ARG001 - as every use case
    """`GET /account`: whose key it is."""
    return Reply(write_account(call.key.user_name, call.key.user_name))


def _model(call: Call, svc: Services) -> tuple[str, Known | None]:
    """A model that the key may use; NotFound."""
    given = submission(call, svc).params
    name = f"{given['owner']}/{given['name']}"
    served = svc.router.models(call.key.group.name, (*MODELS, name))
    if name not in served or not svc.keys.allows_model(call.key, name):
        raise NotFound("The requested resource could not be found.")
    return name, MODELS.get(name)
