"""A midjourney-proxy server: submits, tasks that take time, real pictures whose buttons work, queues, callbacks.

https://github.com/trueai-org/midjourney-proxy and https://github.com/novicezk/midjourney-proxy
"""

from starlette.datastructures import Headers

from unigate.sandbox.forms import midjourney_films as films
from unigate.sandbox.forms import midjourney_presses as presses
from unigate.sandbox.forms import midjourney_queries as queries
from unigate.sandbox.forms import midjourney_submits as submits
from unigate.sandbox.forms.midjourney_jobs import failure, submit
from unigate.sandbox.forms.midjourney_work import error
from unigate.sandbox.serving.answer import Event, VendorError
from unigate.sandbox.serving.face import Face, Handler, Route, bearer

#: The paths of one speed each, and the one without.
_PREFIXES = ("/mj", "/mj-relax/mj", "/mj-fast/mj", "/mj-turbo/mj")
_OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/submit/imagine", submit(submits.imagine)),
    ("POST", "/submit/blend", submit(submits.blend)),
    ("POST", "/submit/describe", submit(submits.describe)),
    ("POST", "/submit/shorten", submit(submits.shorten)),
    ("POST", "/submit/show", submit(submits.show)),
    ("POST", "/submit/edits", submit(submits.edits)),
    ("POST", "/submit/edit", submit(submits.edits)),
    ("POST", "/submit/retexture", submit(submits.retexture)),
    ("POST", "/submit/video", submit(films.video)),
    ("POST", "/submit/upload-discord-images", submit(submits.upload)),
    ("POST", "/submit/action", submit(presses.action)),
    ("POST", "/submit/change", submit(presses.change)),
    ("POST", "/submit/simple-change", submit(presses.simple_change)),
    ("POST", "/submit/modal", submit(presses.modal)),
    ("POST", "/insight-face/swap", submit(submits.swap)),
    ("GET", "/task/{id}/fetch", queries.fetch),
    ("GET", "/task/{id}/image-seed", queries.seed),
    ("POST", "/task/{id}/cancel", queries.cancel),
    ("POST", "/task/list-by-condition", queries.by_ids),
    ("POST", "/task/list-by-ids", queries.by_ids),
    ("GET", "/task/list", queries.newest),
    ("GET", "/task/queue", queries.queue),
    ("GET", "/account/list", queries.accounts),
)


def _credential(headers: Headers) -> str | None:
    """The secret in the servers' own header, or the key that relays take."""
    return headers.get("mj-api-secret") or bearer(headers)


def _unknown(_method: str, path: str) -> VendorError:
    return VendorError(404, f"{path} not found", kind="upstream_error")


def _in_stream(refused: VendorError) -> Event:
    told = error(refused).payload
    assert isinstance(told, dict)
    return Event(told, "end")


FACE = Face(
    name="midjourney",
    title="Midjourney (midjourney-proxy)",
    routes=tuple(
        Route(method, prefix + path, handler) for prefix in _PREFIXES for method, path, handler in _OPERATIONS
    ),
    credential=_credential,
    refuse_key=lambda _credential: failure(401),
    failure=failure,
    error=error,
    stream_error=_in_stream,
    no_route=_unknown,
    wrong_method=lambda method, path: VendorError(405, f"{method} {path}", kind="upstream_error"),
)
