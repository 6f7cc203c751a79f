"""A relay of Udio: songs as tasks, two of each, that go on before and after others."""

from unigate.sandbox.forms import udio as forms
from unigate.sandbox.serving.answer import VendorError
from unigate.sandbox.serving.face import Face, Handler, Route, bearer

_OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/submit/music", forms.submit),
    ("POST", "/generate-proxy", forms.submit),
    ("GET", "/fetch/{id}", forms.fetch),
)
FACE = Face(
    name="udio",
    title="Udio (relay)",
    routes=tuple(Route(method, f"/udio{path}", handler) for method, path, handler in _OPERATIONS),
    credential=bearer,
    refuse_key=lambda _credential: forms.failure(401),
    failure=forms.failure,
    error=forms.error,
    stream_error=forms.in_stream,
    no_route=lambda _method, path: VendorError(404, f"{path} not found", kind="upstream_error", code="not_found"),
    wrong_method=lambda method, path: VendorError(405, f"{method} {path}", kind="upstream_error"),
)
