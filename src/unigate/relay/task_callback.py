"""The account's own address for callbacks: it is told of tasks that name no callback of their own."""

from dataclasses import replace

from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.spec.task import Draft, Notify
from unigate.store import notifications


async def with_callback(call: Call, svc: Services, draft: Draft) -> Draft:
    """A draft, and those made with it, with the account's address where they name none. StoreUnavailable.

    An empty one counts as none. Where to it leads is judged when it is called, since it was when it was set.
    """
    if all(_names(one) for one in (draft, *draft.also)):
        return draft
    async with svc.bank.database.reading() as tx:
        preferences = await notifications.of_user(tx, call.key.user_id)
    url = preferences.task_callback_url if preferences is not None else ""
    if not url:
        return draft
    also = tuple(_calling(one, url) for one in draft.also)
    return replace(_calling(draft, url), also=also)


def _names(draft: Draft) -> bool:
    return draft.notify is not None and bool(draft.notify.url)


def _calling(draft: Draft, url: str) -> Draft:
    if _names(draft):
        return draft
    events = draft.notify.events if draft.notify is not None else ()
    return replace(draft, notify=Notify(url=url, events=events))
