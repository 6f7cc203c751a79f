"""Luma's official API: generations of films and pictures, under `/luma/dream-machine/v1`."""

from collections.abc import Mapping

from unigate.dialects.luma_read import DURATIONS, FORMATS, MODES, RATIOS, RESOLUTIONS
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import (
    ANYTHING,
    Schema,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    record,
    ref,
    text,
    whole,
)

ID = "d1968551-6113-4b46-b567-09210c2e79b0"
_REQUEST = {
    "generation_type": "video",
    "prompt": "an old lady laughing underwater",
    "aspect_ratio": "16:9",
    "loop": False,
    "keyframes": None,
    "callback_url": None,
    "model": "ray-2",
    "resolution": "720p",
    "duration": "5s",
}
SHOWN = {
    "id": ID,
    "generation_type": "video",
    "state": "queued",
    "failure_reason": None,
    "created_at": "2026-08-20T10:00:00.000Z",
    "assets": None,
    "model": "ray-2",
    "request": _REQUEST,
}
_LINK = "https://ai.example.com/files/asset_01J9Z6/film.mp4"
DONE = {**SHOWN, "state": "completed", "assets": {"video": _LINK, "image": _LINK.replace("film.mp4", "still.jpg")}}
GENERATION = record(
    {
        "id": text(),
        "generation_type": text(of=("video", "image")),
        "state": text("The last two are ends.", of=("queued", "dreaming", "completed", "failed")),
        "failure_reason": maybe(text("Why it failed.")),
        "created_at": text("A moment (RFC 3339, UTC)."),
        "assets": maybe(mapping(text(), "`video` and `image`, addresses. Links end: ask again for fresh ones.")),
        "model": text(),
        "request": maybe(mapping(ANYTHING, "What was asked for.")),
    },
    "A generation.",
    needs=("id", "generation_type", "state", "failure_reason", "created_at", "assets", "model", "request"),
)
ERROR = record(
    {
        "detail": either(text("What went wrong."), many(ANYTHING, "A vendor's list of faults.")),
        "code": text("The gateway's own code: stable, for programs. Refusals of the vendor have none."),
    },
    "An error.",
    needs=("detail",),
)
_ADDRESS = record({"url": text("Of http or https.")}, needs=("url",))
_WEIGHED = record({"url": text("Of http or https."), "weight": number()}, needs=("url",))
_FRAME = either(
    record({"type": text(of=("image",)), "url": text("Of http or https.")}, needs=("type", "url")),
    record({"type": text(of=("generation",)), "id": text("Of a completed film of yours.")}, needs=("type", "id")),
)
_COMMON: Mapping[str, Schema] = {"prompt": text(), "callback_url": maybe(text("Told of each state, unsigned."))}
_MODEL: Mapping[str, Schema] = {"model": text(least=1)}
_PLACES = {
    name: whole()
    for name in (
        "grid_position_x",
        "grid_position_y",
        "x_start",
        "x_end",
        "y_start",
        "y_end",
        "resized_width",
        "resized_height",
    )
}
_RATIO = text(of=RATIOS)
_VIDEO = record(
    {
        **_MODEL,
        **_COMMON,
        "prompt": maybe(text("Needed where there are no keyframes.")),
        "aspect_ratio": maybe(_RATIO),
        "loop": maybe(flag()),
        "resolution": maybe(text(of=RESOLUTIONS)),
        "duration": maybe(text(of=DURATIONS)),
        "keyframes": maybe(
            record(
                {"frame0": _FRAME, "frame1": _FRAME},
                "A generation as frame0 is made longer, as frame1 gets a beginning.",
            )
        ),
        "concepts": maybe(many(record({"key": text()}, needs=("key",)), "Camera movements.")),
    },
    needs=("model",),
)
_IMAGE = record(
    {
        **_MODEL,
        **_COMMON,
        "aspect_ratio": maybe(_RATIO),
        "format": maybe(text(of=FORMATS)),
        "image_ref": maybe(many(_WEIGHED, most=4)),
        "style_ref": maybe(many(_WEIGHED, most=4)),
        "modify_image_ref": maybe(_WEIGHED),
        "character_ref": maybe(mapping(record({"images": many(text(), least=1)}, needs=("images",)), "`identity0`.")),
        "sync": maybe(flag("The reply waits for the end.")),
        "sync_timeout": maybe(number("Seconds (60).", low=0, high=300)),
    },
    needs=("model",),
)
_MEDIA: Mapping[str, Schema] = {**_MODEL, **_COMMON, "media": _ADDRESS, "aspect_ratio": _RATIO, **_PLACES}


def _made(name: str, title: str, about: str, request: Schema, body: Mapping[str, object], *, of: bool = False) -> Entry:
    return Entry(
        operation=f"luma.{name}",
        title=title,
        about=about,
        request=request,
        answer=ref("LumaGeneration"),
        shown=SHOWN,
        status=201,
        places=_IN_PATH if of else {},
        examples=(Example(title=title, body=body, path={"id": ID} if of else {}),),
        fails=(404, 409) if of else (404,),
    )


_IN_PATH = {"id": text("The generation's id.", least=1)}
_ONE = (Example(title="A generation", path={"id": ID}),)
_PICTURE = {"url": "https://pictures.example.com/fox.png"}
_FILM = {"url": "https://pictures.example.com/fox.mp4"}
_ENTRIES = (
    _made("video", "Make a film", "Of a prompt, of pictures, or on from films.", _VIDEO, {
        "model": "ray-2", "prompt": "an old lady laughing underwater", "resolution": "540p",
    }),
    _made("image", "Make a picture", "Of a prompt, with pictures to follow.", _IMAGE, {
        "model": "photon-1", "prompt": "a fox in the snow",
    }),
    _made("image.reframe", "Give a picture another shape", "By its address.", record(
        {"generation_type": text(of=("reframe_image",)), **_MEDIA, "format": text(of=FORMATS)},
        needs=("model", "media", "aspect_ratio"),
    ), {"generation_type": "reframe_image", "model": "photon-1", "media": _PICTURE, "aspect_ratio": "16:9"}),
    _made("video.reframe", "Give a film another shape", "By its address.", record(
        {"generation_type": text(of=("reframe_video",)), **_MEDIA, "first_frame": _ADDRESS},
        needs=("model", "media", "aspect_ratio"),
    ), {"generation_type": "reframe_video", "model": "ray-2", "media": _FILM, "aspect_ratio": "1:1"}),
    _made("video.modify", "Modify a film", "By its address; the mode says how much of it is left.", record(
        {"generation_type": text(of=("modify_video",)), **_MODEL, **_COMMON, "media": _ADDRESS,
         "first_frame": _ADDRESS, "mode": text(of=MODES)},
        needs=("model", "media", "mode"),
    ), {"generation_type": "modify_video", "model": "ray-2", "media": _FILM, "mode": "flex_1", "prompt": "in snow"}),
    _made("upscale", "Make a film larger", "A completed film of yours, by its account.", record(
        {"generation_type": text(of=("upscale_video",)), "callback_url": _COMMON["callback_url"],
         "resolution": text(of=RESOLUTIONS)},
        needs=("resolution",),
    ), {"resolution": "720p"}, of=True),
    _made("audio", "Give a film a sound", "A completed film of yours, by its account.", record(
        {"generation_type": text(of=("add_audio",)), **_COMMON, "negative_prompt": text()}, needs=("prompt",),
    ), {"prompt": "rain on a roof"}, of=True),
    Entry(
        operation="luma.list",
        title="List generations",
        about="The user's, newest first.",
        answer=record(
            {"has_more": flag(), "count": whole(), "limit": whole(), "offset": whole(),
             "generations": many(ref("LumaGeneration"))},
            needs=("has_more", "count", "limit", "offset", "generations"),
        ),
        shown={"has_more": False, "count": 1, "limit": 100, "offset": 0, "generations": [DONE]},
        query={"limit": whole("At most 100.", low=0, high=100), "offset": whole("How many to leave out.", low=0, high=10_000)},
        examples=(Example(title="The latest"), Example(title="Behind these", query={"limit": "10", "offset": "10"})),
        fails=(400,),
    ),
    Entry(
        operation="luma.get",
        title="Get a generation",
        about="Answered from the gateway's own state, as often as you like.",
        answer=ref("LumaGeneration"),
        shown=DONE,
        places=_IN_PATH,
        examples=_ONE,
        fails=(404,),
    ),
    Entry(
        operation="luma.delete",
        title="Delete a generation",
        about="One that has not ended is canceled; it is charged if the vendor had it. It is forgotten here and at the vendor.",
        status=204,
        places=_IN_PATH,
        examples=_ONE,
        fails=(404, 409, 502, 504),
    ),
    Entry(
        operation="luma.concepts",
        title="List concepts",
        about="Names of camera movements.",
        answer=many(text()),
        shown=["dolly_zoom", "zoom_in"],
        examples=(Example(title="All"),),
    ),
    Entry(
        operation="luma.credits",
        title="Get the credits",
        about="What the key's user has left with the gateway, in cents of a US dollar; -1: without limit.",
        answer=record({"credit_balance": number()}, needs=("credit_balance",)),
        shown={"credit_balance": 1250.5},
        examples=(Example(title="The credits"),),
    ),
    Entry(
        operation="luma.ping",
        title="Ping",
        about="Whether the gateway is there.",
        answer=record({"message": text()}, needs=("message",)),
        shown={"message": "pong"},
        examples=(Example(title="Ping"),),
    ),
)  # fmt: skip
PAGE = Page(
    title="Luma",
    about="Luma's official API as its SDK `lumaai` calls it: base URL `/luma/dream-machine/v1`.",
    entries=_ENTRIES,
    schemas={"LumaGeneration": GENERATION, "LumaError": ERROR},
    error="LumaError",
    refusal="LumaError",
)
