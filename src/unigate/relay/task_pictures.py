"""Pictures in base64 for providers that take addresses only: kept by us while the task may run, and named by a link.

The link leads to `public_url`, or else to where the task's caller reached us: a provider must be able to fetch it there.
"""

import asyncio
from collections.abc import Sequence

from unigate.base.clock import now_ms
from unigate.dialects import midjourney_pictures as pictures
from unigate.relay.services import Services
from unigate.spec.task import Json, Task


def held(body: Json, names: Sequence[str]) -> dict[str, str]:
    """Pictures in base64 among these members, by member."""
    found = {name: value for name in names if isinstance(value := body.get(name), str) and value}
    return {name: value for name, value in found.items() if not value.startswith(("http://", "https://"))}


async def addressed(task: Task, body: Json, names: Sequence[str], svc: Services) -> Json:
    """The body with links in place of pictures in base64, itself where there are none. StoreUnavailable."""
    links: dict[str, str] = {}
    for place, (name, picture) in enumerate(held(body, names).items()):
        data = await asyncio.to_thread(pictures.decoded, picture)
        until = now_ms() + task.deadline_at - task.created_at
        # Under the call: what stands under the task is what it made.
        asset = await svc.files.add(task.request_id, task.user_id, place, data, "", until=until)
        base = svc.settings.public_url.rstrip("/") or task.base
        links[name] = svc.tasks.view(None, base=base, user_id=task.user_id).link(asset)
    return {**body, **links} if links else body
