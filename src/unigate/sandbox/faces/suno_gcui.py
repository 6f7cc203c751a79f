"""gcui-art's server of Suno: songs by an account's cookie, below `/api`, told of by their clips.

https://github.com/gcui-art/suno-api
"""

from starlette.datastructures import Headers

from unigate.sandbox.forms import suno_flat as flat
from unigate.sandbox.serving.answer import Event, VendorError
from unigate.sandbox.serving.face import Face, Route, bearer


def _credential(headers: Headers) -> str | None:
    """The account's cookie, or what stands in its place."""
    return headers.get("cookie") or bearer(headers)


def _in_stream(refused: VendorError) -> Event:
    return Event({"error": refused.message}, "end")


FACE = Face(
    name="suno_gcui",
    title="Suno (gcui-art)",
    routes=(
        Route("POST", "/api/generate", flat.generate),
        Route("POST", "/api/custom_generate", flat.custom_generate),
        Route("POST", "/api/extend_audio", flat.extend),
        Route("POST", "/api/generate_stems", flat.stems),
        Route("POST", "/api/concat", flat.concat),
        Route("POST", "/api/generate_lyrics", flat.lyrics),
        Route("GET", "/api/get", flat.get),
        Route("GET", "/api/get_limit", flat.limit),
        Route("GET", "/api/get_aligned_lyrics", flat.aligned),
    ),
    credential=_credential,
    refuse_key=lambda _credential: flat.failure(401),
    failure=flat.failure,
    error=flat.error,
    stream_error=_in_stream,
    no_route=lambda _method, path: VendorError(404, f"{path} not found"),
    wrong_method=lambda method, path: VendorError(405, f"{method} {path}"),
)
