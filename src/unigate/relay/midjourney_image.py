"""`GET /mj/image/{id}`: a task's picture under an address that its id gives, for clients that make it up.

It leads on to a fresh link of the file, which needs no key and ends; the key that is needed here is that of the task's owner.
"""

from urllib.parse import quote

from unigate.base.errors import NotFound
from unigate.dialects import task_writer
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_uses import named, view
from unigate.spec.reply import Reply

_SAFE = "!#$%&'()*+,/:;=?@[]~"
_UNKNOWN = b'{"error":"midjourney_task_not_found"}'
_NO_PICTURE = b'{"error":"http_get_image_failed"}'


async def image(call: Call, svc: Services) -> Reply:
    """Lead to the picture, or to how it looks so far; errors are the convention's own."""
    try:
        task = await named(call, svc, task_writer(call.operation.dialect))
    except NotFound:
        return Reply(_UNKNOWN, 400)
    links = [view(call, svc).link(asset) for asset in task.outputs if asset.kind == "image"] or list(task.previews)
    if not links:
        return Reply(_NO_PICTURE, 500)
    return Reply(b"", 302, ((b"location", quote(links[0], safe=_SAFE).encode()), (b"cache-control", b"no-store")))
