"""Webhooks of Replicate: when they are sent, and how they are signed.

https://replicate.com/docs/topics/webhooks and https://github.com/standard-webhooks/standard-webhooks
"""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from unigate.base import clock
from unigate.base.clock import LONG_AGO, Seconds
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.replicate_prediction import Prediction, output_at, shown, stage_at
from unigate.sandbox.forms.replicate_request import Moment
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Headers, Object, encode
from unigate.sandbox.serving.jobs import Job, Stage

#: Outputs and logs are told at most so often, in seconds.
_EVERY = 0.5
#: Seconds between attempts to tell the end.
_AGAIN = (1.0, 2.0, 4.0, 8.0)
_PREFIX = "whsec_"


def secret(credential: str) -> str:
    """The secret with which an account's webhooks are signed."""
    key = seeds.dice("webhooks", credential).randbytes(24)
    return _PREFIX + base64.b64encode(key).decode()


def signed(key: str, id: str, seconds: int, body: bytes) -> Headers:
    """The headers of a webhook with that id, sent at that moment (seconds since 1970)."""
    content = f"{id}.{seconds}.".encode() + body
    digest = hmac.new(base64.b64decode(key.removeprefix(_PREFIX)), content, hashlib.sha256).digest()
    return (
        ("content-type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", str(seconds)),
        ("webhook-signature", "v1," + base64.b64encode(digest).decode()),
    )


@dataclass(slots=True)
class Reporter:
    """Tells of one prediction; `tell` is called with each stage that it enters."""

    _last: dict[Moment, Seconds] = field(default_factory=dict)
    _output: object = None

    async def tell(self, job: Job, stage: Stage) -> None:
        """Send what the caller wants to hear of a stage."""
        prediction: Prediction = job.data
        index = next(number for number, (_, one) in enumerate(job.timeline) if one is stage)
        if stage.name == "succeeded":
            await prediction.made.wait()
        seen = stage_at(job, index)
        if seen.name == "processing" and stage.progress == 1:
            await self._send(job, "start", shown(job, index))
        if seen.name == "processing":
            await self._send(job, "logs", shown(job, index))
        output = output_at(job, index)
        if output and output != self._output:
            self._output = output
            await self._send(job, "output", {**shown(job, index), **_RUNNING} if seen.ended else shown(job, index))
        if seen.ended:
            await self._send(job, "completed", shown(job, index))

    async def _send(self, job: Job, moment: Moment, told: Object) -> None:
        """Send one webhook, if it is wanted and due; the end is tried again where it does not arrive."""
        asked = job.data.asked
        now = clock.monotonic()
        often = moment in ("output", "logs") and now - self._last.get(moment, LONG_AGO) < _EVERY
        if moment not in asked.moments or often:
            return
        self._last[moment] = now
        body = encode(told)
        id = "msg_" + seeds.letters(seeds.dice(job.id, moment, str(now)), 27)
        for delay in (0.0, *(_AGAIN if moment == "completed" else ())):
            await asyncio.sleep(delay / job.speed)
            headers = signed(secret(job.credential), id, clock.now_ms() // 1000, body)
            try:
                status = await outgoing.post(asked.webhook, body, headers)
            except (OSError, ValueError):
                continue
            if status < 500:
                return


#: An output is told before the end is.
_RUNNING: Object = {"status": "processing", "completed_at": None, "metrics": {}}
