"""One message to a provider's task API, and what came back.

Every failure is an UpstreamError; its `sent` tells whether the provider may have read the message. Must not judge it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, GatewayError, Unsupported, UpstreamError, UpstreamRefused
from unigate.relay.services import Services
from unigate.routing.failures import read_retry_after
from unigate.spec.channel import Channel
from unigate.spec.provider import Credential
from unigate.spec.task import Accepted, Answered, Json, Message, Order, TaskApi

log: Any = structlog.get_logger("unigate.tasks")
#: An error's body is read as far as this.
ERROR_LIMIT = 256 * 1024
#: Statuses by which a gateway before the provider says that it got no answer: the provider may have read it all the same.
#: https://www.rfc-editor.org/rfc/rfc9110#section-15.6; 520 and 524 are Cloudflare's.
_NO_ANSWER = frozenset({502, 504, 520, 524})


async def ask(
    svc: Services, channel: Channel, credential: Credential, message: Message, *, seconds: float, submits: bool = False
) -> Answered:
    """Send a message and read the whole answer, whose status is good (2xx).

    Raises UpstreamRefused for another status, Unreachable, TookTooLong, BadAnswer, StreamBroken. `submits`: it goes on a
    connection of its own and is never repeated.
    """
    endpoint, request = svc.upstreams.message(channel, credential, message)
    timeouts = replace(channel.timeouts, total=min(channel.timeouts.total, seconds))
    answer = await svc.upstreams.client.send(
        endpoint, request, message.body, timeouts, may_repeat=not submits, fresh=submits, once=True
    )
    try:
        good = 200 <= answer.status < 300
        body = await answer.read(svc.settings.relay.answer_bytes if good else ERROR_LIMIT)
    except BaseException:
        answer.abort()
        raise
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.raw_headers}
    if good:
        return Answered(status=answer.status, body=body, headers=headers)
    wait = read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms())
    status, told = channel.provider.adjust_error(answer.status, body)
    raise UpstreamRefused(
        status, told, content_type=answer.header(b"content-type") or b"application/json", retry_after=wait
    )


def definite(failure: UpstreamError) -> bool:
    """Whether a failure says that the provider did not take the message: it never got it, or it refused it."""
    if not failure.sent:
        return True
    return isinstance(failure, UpstreamRefused) and failure.upstream_status not in _NO_ANSWER


def message_of(write: Callable[[], Message]) -> Message:
    """A message as a provider's code writes it; BadAnswer, with nothing sent, where that fails."""
    try:
        return write()
    except GatewayError:
        raise
    except Exception as error:
        log.exception("a provider's message could not be written")
        failure = BadAnswer(detail=f"the message could not be written: {error!r}")
        failure.sent = False
        raise failure from None


def unreadable(error: Exception) -> BadAnswer:
    """What a provider's reader that failed on an answer means."""
    return BadAnswer(detail=f"the answer could not be read: {error!r}")


class Refused(UpstreamError):
    """A refusal that came with a good status: as definite as any."""

    def __init__(self, refusal: UpstreamRefused) -> None:
        super().__init__()
        self.refusal = refusal


def written(write: Callable[[Order, Json], Message], order: Order, channel: Channel) -> Message:
    """The message of an order. What a provider's code cannot write is nothing that was sent: Unsupported, Refused, UpstreamError."""
    try:
        return message_of(lambda: write(order, channel.options))
    except UpstreamError as error:
        error.sent = False
        raise
    except Unsupported:  # another provider may be able to
        raise
    except GatewayError as error:
        log.warning("a provider cannot send an order", task=order.task_id, channel=channel.name, detail=error.message)
        raise Refused(UpstreamRefused(400, b"")) from None


def accepted_of(api: TaskApi, order: Order, answered: Answered) -> Accepted:
    """What a provider says to a submission. Raises Refused, BadAnswer."""
    try:
        return api.accepted(order, answered)
    except UpstreamRefused as refusal:
        raise Refused(refusal) from None
    except UpstreamError:
        raise
    except Exception as error:
        log.exception("a provider's answer could not be read", task=order.task_id)
        raise unreadable(error) from None
