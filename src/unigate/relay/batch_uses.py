"""Use cases of batches: `/v1/batches`. Free themselves; each user finds their own only."""

from urllib.parse import unquote

from unigate.dialects import openai_batches
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_base import base_of
from unigate.spec.reply import Reply
from unigate.store.batches import BatchRow


async def create(call: Call, svc: Services) -> Reply:
    """`POST /v1/batches`. InvalidJson, BadRequest, NotFound, TooMany, StoreUnavailable."""
    new = openai_batches.read_batch(call.body)
    row = await svc.batches.create(call, new, base_of(call.x, svc.settings))
    return Reply(openai_batches.write_batch(row))


async def listed(call: Call, svc: Services) -> Reply:
    """`GET /v1/batches`. BadRequest."""
    limit, after = openai_batches.read_page(call.x.query)
    found, more = await svc.batches.page(call.key.user_id, limit, after)
    return Reply(openai_batches.write_batches(found, more=more))


async def one(call: Call, svc: Services) -> Reply:
    """`GET /v1/batches/{id}`. NotFound."""
    return Reply(openai_batches.write_batch(await _named(call, svc)))


async def cancel(call: Call, svc: Services) -> Reply:
    """`POST /v1/batches/{id}/cancel`. NotFound, Conflict."""
    return Reply(openai_batches.write_batch(await svc.batches.cancel(await _named(call, svc))))


async def _named(call: Call, svc: Services) -> BatchRow:
    id = unquote(call.params["id"])
    row = await svc.batches.find(id, call.key.user_id)
    if row is None:
        raise openai_batches.missing(id)
    return row
