"""A Suno-API server: songs out of words as tasks, uploads, personas, tracks, timing and other files.

https://github.com/Suno-API/Suno-API, and the relays that grew out of it.
"""

from starlette.datastructures import Headers

from unigate.sandbox.forms import suno_acts as acts
from unigate.sandbox.forms import suno_feed as feed
from unigate.sandbox.forms import suno_further as further
from unigate.sandbox.forms import suno_submits as submits
from unigate.sandbox.forms import suno_uploads as uploads
from unigate.sandbox.forms.suno_inputs import error, failure
from unigate.sandbox.serving.answer import Event, VendorError
from unigate.sandbox.serving.face import Face, Handler, Route, bearer

_OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/submit/music", submits.music_task),
    ("POST", "/submit/lyrics", submits.lyrics_task),
    ("POST", "/submit/concat", submits.concat_task),
    ("POST", "/submit/{action}", further.submit),
    ("POST", "/fetch", submits.fetch_many),
    ("GET", "/fetch/{id}", submits.fetch),
    ("POST", "/uploads/audio", uploads.begin),
    ("POST", "/uploads/s3/{id}", uploads.form),
    ("OPTIONS", "/uploads/s3/{id}", uploads.before_form),
    ("POST", "/uploads/audio/{id}/upload-finish", uploads.finish),
    ("GET", "/uploads/audio/{id}", uploads.state),
    ("POST", "/uploads/audio/{id}/initialize-clip", uploads.initialize),
    ("POST", "/uploads/audio-url", uploads.by_url),
    ("POST", "/persona/create", acts.persona),
    ("GET", "/act/timing/{id}", acts.timing),
    ("GET", "/act/wav/{id}", acts.wav),
    ("GET", "/act/mp4/{id}", acts.mp4),
    ("GET", "/act/midi/{id}", acts.midi),
    ("GET", "/act/stems/{id}", acts.stems),
    ("POST", "/act/vox/{id}", acts.vox),
    ("POST", "/act/tags", acts.tags),
    ("POST", "/generate", feed.generate),
    ("POST", "/generate/description-mode", feed.generate),
    ("POST", "/generate/concat", feed.concat),
    ("POST", "/generate/lyrics", feed.generate_lyrics),
    ("GET", "/feed/{ids}", feed.feed),
    ("GET", "/lyrics/{id}", feed.lyrics),
    ("POST", "/v1/music", feed.v1_music),
    ("GET", "/v1/music/{id}", feed.v1_task),
)
#: The credential of those who send a form, for whom the form's own fields speak.
_FORM = "form"


def _credential(headers: Headers) -> str | None:
    """The key; a form needs none, nor does a browser's question before it."""
    asks = "access-control-request-method" in headers
    if asks or headers.get("content-type", "").startswith("multipart/form-data"):
        return _FORM
    return bearer(headers)


def _in_stream(refused: VendorError) -> Event:
    told = error(refused).payload
    assert isinstance(told, dict)
    return Event(told, "end")


FACE = Face(
    name="suno",
    title="Suno (Suno-API)",
    routes=tuple(
        Route(method, f"/suno{path}{slash}", handler) for method, path, handler in _OPERATIONS for slash in ("", "/")
    ),
    credential=_credential,
    refuse_key=lambda _credential: failure(401),
    failure=failure,
    error=error,
    stream_error=_in_stream,
    no_route=lambda _method, path: feed.unknown(path),
    wrong_method=lambda method, path: VendorError(
        405, f"{method} {path}", kind="upstream_error", code="method_not_allowed"
    ),
)
