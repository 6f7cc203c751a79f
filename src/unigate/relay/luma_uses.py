"""What Luma's clients ask beside tasks: lists that are counted from their beginning, credits, concepts, whether we are there.

All but the address of a film that may have a mark is answered from what we know.
"""

from collections.abc import Sequence
from typing import Protocol, cast

from unigate.base.money import NANO
from unigate.dialects import TaskWriter, luma, luma_relay, task_writer
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_uses import named, submission, view
from unigate.spec.reply import Reply
from unigate.spec.task import Submission, Task, View
from unigate.store.pages import MAX_ROWS, Page

#: Cents of a dollar.
_CENTS = 100


class Counter(TaskWriter, Protocol):
    """A dialect with the use `luma_list`."""

    def read_span(self, asked: Submission) -> tuple[int, int]:
        """How many are asked for, behind how many; BadRequest."""
        ...

    def write_page(self, tasks: Sequence[Task], view: View, *, limit: int, offset: int, more: bool) -> bytes:
        """So many of them."""
        ...


async def listed(call: Call, svc: Services) -> Reply:
    """`luma_list`: the user's generations, newest first; of a key that may see its own numbers only, the key's."""
    spoken = cast(Counter, task_writer(call.operation.dialect))
    limit, offset = spoken.read_span(submission(call, svc))
    shown: list[Task] = []  # what lies before them is not kept: tasks may be large
    seen, wanted = 0, offset + limit + 1
    page = Page(limit=min(wanted, MAX_ROWS))
    while seen < wanted:
        rows = await svc.tasks.page(
            page,
            call.key.user_id,
            key_id=None if call.key.user_view else call.key.id,
            dialect=call.operation.dialect,
        )
        shown += rows.rows[max(offset - seen, 0) : max(offset + limit - seen, 0)]
        seen += len(rows.rows)
        if rows.next is None:
            break
        page = Page(limit=min(wanted - seen, MAX_ROWS) or 1, after=rows.next)
    more = seen >= wanted
    return Reply(spoken.write_page(shown, view(call, svc), limit=limit, offset=offset, more=more))


async def download(call: Call, svc: Services) -> Reply:
    """`luma_download`: where a film without a mark is; its provider is asked where what we have may have one.

    BadRequest where it is not made yet; UpstreamRefused, and what a failure is.
    """
    spoken = task_writer(call.operation.dialect)
    task = await named(call, svc, spoken)
    address = luma_relay.clean_address(task, view(call, svc))
    if address:
        return Reply(luma_relay.write_address(address))
    answered = await svc.tasks.ask(call, task, call.operation.name)
    return luma_relay.write_ask(task, answered, view(call, svc))


async def credits(call: Call, svc: Services) -> Reply:  # noqa: A001 - as the vendor calls it
    """`luma_credits`: what the caller has left with us, in cents; a key that sees its own numbers only, of its budget."""
    seen = await svc.bank.balance(call.key, of_key="total" in call.key.budgets or not call.key.user_view)
    cents = seen.left * _CENTS / NANO if seen.granted is not None else -1.0
    return Reply(luma.write_credits(cents))


async def concepts(call: Call, svc: Services) -> Reply:  # noqa: ARG001 - as every use case
    """`luma_concepts`: names of camera movements."""
    return Reply(luma.write_concepts())


async def ping(call: Call, svc: Services) -> Reply:  # noqa: ARG001 - as every use case
    """`luma_ping`: the gateway is there."""
    return Reply(luma.write_ping())
