"""A relay of Luma: films by the form of the vendor's old web API, made longer, with and without a mark.

It has the generations of the face `luma` too, whoever made them by which form.
"""

from unigate.sandbox.forms import luma_errors as errors
from unigate.sandbox.forms import luma_relayed as forms
from unigate.sandbox.serving.face import Face, Handler, Route, bearer

_OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/generations", forms.create),
    ("POST", "/generations/{id}/extend", forms.extend),
    ("GET", "/generations", forms.listed),
    ("GET", "/generations/{id}", forms.get),
    ("GET", "/generations/{id}/download_video_url", forms.download),
    ("POST", "/tasks", forms.tasks),
)
FACE = Face(
    name="luma_relay",
    title="Luma (relay)",
    routes=tuple(
        Route(method, f"/luma{path}{slash}", handler) for method, path, handler in _OPERATIONS for slash in ("", "/")
    ),
    credential=bearer,
    refuse_key=errors.refuse_key,
    failure=errors.failure,
    error=errors.relay,
    stream_error=errors.in_stream,
    no_route=errors.no_route,
    wrong_method=errors.wrong_method,
)
