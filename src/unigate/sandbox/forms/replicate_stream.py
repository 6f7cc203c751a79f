"""The stream of a prediction of Replicate: logs and outputs as they come.

https://replicate.com/docs/topics/predictions/streaming
"""

import asyncio
from collections.abc import AsyncIterator

from unigate.base import clock
from unigate.sandbox.forms.replicate_prediction import log_of, output_at, reached, stage_at
from unigate.sandbox.serving.answer import Event, Object
from unigate.sandbox.serving.jobs import Job

_TICK = 0.05
#: Seconds of silence after which a comment is sent.
_SILENCE = 5.0


async def events(job: Job) -> AsyncIterator[Event]:
    """All events of a prediction from its beginning, until it has ended."""
    logged = outputs = number = 0
    heard = clock.monotonic()
    while True:
        index = reached(job)
        stage = stage_at(job, index)
        pieces = [log_of(job, earlier) for earlier in range(logged, index + 1)]
        fresh = [("logs", piece.removesuffix("\n")) for piece in pieces if piece]
        logged = index + 1
        output = output_at(job, index)
        addresses = output if isinstance(output, list) else [output] if output else []
        fresh += [("output", address) for address in addresses[outputs:]]
        outputs = max(outputs, len(addresses))
        for name, data in fresh:
            yield Event(data, "content", name=name, id=_id(job, number))
            number += 1
        if stage.ended:
            break
        now = clock.monotonic()
        heard = now if fresh else heard
        if now - heard > _SILENCE:
            heard = now
            yield Event(None, "content", name="keep-alive")
        await asyncio.sleep(min(_TICK, job.remaining() + 0.001))
    if stage.error:
        yield Event({"detail": stage.error}, "finish", name="error", id=_id(job, number))
        number += 1
    reasons = {"failed": "error", "canceled": "canceled", "aborted": "canceled"}
    done: Object = {"reason": reasons[stage.name]} if stage.name in reasons else {}
    yield Event(done, "end", name="done", id=_id(job, number))


def _id(job: Job, number: int) -> str:
    return f"{job.made_ms}:{number}"
