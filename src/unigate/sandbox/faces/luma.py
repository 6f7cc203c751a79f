"""Luma's official Dream Machine API: films and pictures, what is done with them, credits, callbacks.

https://docs.lumalabs.ai
"""

from unigate.sandbox.forms import luma_errors as errors
from unigate.sandbox.forms import luma_official as forms
from unigate.sandbox.forms.luma_official import creates
from unigate.sandbox.serving.face import Face, Route, bearer

_ROOT = "/dream-machine/v1"
FACE = Face(
    name="luma",
    title="Luma",
    base=_ROOT,
    routes=(
        Route("POST", f"{_ROOT}/generations", creates("video")),
        Route("POST", f"{_ROOT}/generations/video", creates("video")),
        Route("POST", f"{_ROOT}/generations/image", creates("image")),
        Route("POST", f"{_ROOT}/generations/image/reframe", creates("reframe_image")),
        Route("POST", f"{_ROOT}/generations/video/reframe", creates("reframe_video")),
        Route("POST", f"{_ROOT}/generations/video/modify", creates("modify_video")),
        Route("POST", f"{_ROOT}/generations/{{id}}/upscale", creates("upscale_video")),
        Route("POST", f"{_ROOT}/generations/{{id}}/audio", creates("add_audio")),
        Route("GET", f"{_ROOT}/generations", forms.listed),
        Route("GET", f"{_ROOT}/generations/concepts/list", forms.concepts),
        Route("GET", f"{_ROOT}/generations/{{id}}", forms.get),
        Route("DELETE", f"{_ROOT}/generations/{{id}}", forms.delete),
        Route("GET", f"{_ROOT}/credits", forms.credits),
        Route("GET", f"{_ROOT}/ping", forms.ping),
    ),
    credential=bearer,
    refuse_key=errors.refuse_key,
    failure=errors.failure,
    error=errors.official,
    stream_error=errors.in_stream,
    no_route=errors.no_route,
    wrong_method=errors.wrong_method,
)
