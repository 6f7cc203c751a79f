"""Luma as relays speak it: films, made and made longer, under `/luma/generations`."""

from collections.abc import Mapping

from unigate.dialects.luma_read import RATIOS, RESOLUTIONS
from unigate.dialects.relay_tasks import MOST_IDS
from unigate.reference.page import Entry, Example, Page
from unigate.reference.relay_schemas import task
from unigate.reference.schema import ANYTHING, Schema, either, flag, many, mapping, maybe, record, ref, text, whole

ID = "4665a07c-7641-4809-a133-10786201bb56"
_LINK = "https://ai.example.com/files/asset_01J9Z6/film.mp4"
SHOWN: Mapping[str, object] = {
    "id": ID,
    "liked": None,
    "state": "pending",
    "video": None,
    "prompt": "a gust of wind moves the veil",
    "user_id": "usr_01J9Z6",
    "batch_id": "",
    "thumbnail": None,
    "video_raw": None,
    "created_at": "2026-08-20T10:00:00.000Z",
    "last_frame": None,
    "pipeline_id": "",
    "queue_state": None,
    "estimate_wait_seconds": None,
    "url": "",
}
DONE = {**SHOWN, "state": "completed", "video": {"url": _LINK, "download_url": _LINK}, "url": _LINK}
_FILE = maybe(mapping(ANYTHING, "`url`, `width`, `height`."))
GENERATION = record(
    {
        "id": text(),
        "liked": ANYTHING,
        "state": text("The last two are ends.", of=("pending", "processing", "completed", "failed")),
        "video": maybe(mapping(ANYTHING, "`url`, which may have a mark; `download_url`, which has none; sizes.")),
        "prompt": text(),
        "user_id": text(),
        "batch_id": text(),
        "thumbnail": _FILE,
        "video_raw": _FILE,
        "created_at": text("A moment (RFC 3339, UTC)."),
        "last_frame": _FILE,
        "pipeline_id": text(),
        "queue_state": ANYTHING,
        "estimate_wait_seconds": ANYTHING,
        "url": text("The best address of the film."),
        "failure_reason": text("Why it failed."),
    },
    "A film.",
    needs=("id", "state", "video", "prompt", "created_at"),
)
TASK = task(text(of=("LUMA_VIDEO", "LUMA_EXTEND")), ref("LumaRelayGeneration"), "A film as a task.")
ERROR = record(
    {
        "code": text("Stable, for programs."),
        "message": text("What went wrong, for a person."),
        "data": {"type": "null"},
        "detail": text("The same."),
        "error": record({"message": text(), "type": text(), "code": text()}, needs=("message",)),
    },
    "An error.",
    needs=("code", "message", "error"),
)
_PICTURE = text("A picture: its address, a data URL, or base64. Empty: none.")
_FIELDS: Mapping[str, Schema] = {
    "user_prompt": text(),
    "expand_prompt": maybe(flag("Let the vendor enrich the prompt.")),
    "loop": maybe(flag()),
    "image_url": maybe(_PICTURE),
    "image_end_url": maybe(_PICTURE),
    "aspect_ratio": maybe(text(of=("", *RATIOS))),
    "model_name": maybe(text("`ray-v1`, `ray-v2` (unless told), `ray-v3`, or a name of the official API.")),
    "resolution": maybe(text(of=("", *RESOLUTIONS))),
    "duration": maybe(either(text(of=("", "5", "5s", "9", "9s")), whole())),
    "notify_hook": maybe(text("Told of the end, unsigned.")),
}
_IN_PATH = {"id": text("The film's id.", least=1)}
_ONE = (Example(title="A film", path={"id": ID}),)
_ENTRIES = (
    Entry(
        operation="luma_relay.create",
        title="Make a film",
        about="Of a prompt, or of pictures that it begins and ends with.",
        request=record(_FIELDS),
        answer=ref("LumaRelayGeneration"),
        shown=SHOWN,
        examples=(
            Example(
                title="A film",
                body={"user_prompt": "a gust of wind moves the veil", "model_name": "ray-v2", "duration": "5s"},
            ),
        ),
        fails=(400, 503),
    ),
    Entry(
        operation="luma_relay.extend",
        title="Make a film longer",
        about="A finished one of yours, at the account that has it.",
        request=record(_FIELDS, needs=("user_prompt",)),
        answer=ref("LumaRelayGeneration"),
        shown=SHOWN,
        places=_IN_PATH,
        examples=(Example(title="Longer", path={"id": ID}, body={"user_prompt": "a cat comes in"}),),
        fails=(400, 503),
    ),
    Entry(
        operation="luma_relay.get",
        title="Get a film",
        about="Answered from the gateway's own state, as often as you like.",
        answer=ref("LumaRelayGeneration"),
        shown=DONE,
        places=_IN_PATH,
        examples=_ONE,
        fails=(400,),
    ),
    Entry(
        operation="luma_relay.download",
        title="Get the address of a film",
        about="Of the film without a mark, fresh with each call. Not needed where the film itself has it.",
        answer=record({"url": text()}, needs=("url",)),
        shown={"url": _LINK},
        places=_IN_PATH,
        examples=_ONE,
        fails=(400, 502, 504),
    ),
    Entry(
        operation="luma_relay.tasks",
        title="Get several films",
        about="As tasks; what is unknown is left out.",
        request=record({"ids": many(text(), most=MOST_IDS)}, needs=("ids",)),
        answer=record({"code": text(), "message": text(), "data": many(ref("LumaRelayTask"))}, needs=("code", "data")),
        shown={"code": "success", "message": "", "data": []},
        examples=(Example(title="Two films", body={"ids": [ID]}),),
        fails=(400,),
    ),
    Entry(
        operation="luma_relay.list",
        title="List films",
        about="The user's, newest first.",
        answer=many(ref("LumaRelayGeneration")),
        shown=[DONE],
        query={"limit": whole("At most 100 (20).", low=0, high=100), "offset": whole("To leave out.", low=0)},
        examples=(Example(title="The latest", query={"limit": "20", "offset": "0"}),),
        fails=(400,),
    ),
)
PAGE = Page(
    title="Luma (relay form)",
    about="Luma in the form of its old web API, which relays and web clients speak: base URL `/luma`.",
    entries=_ENTRIES,
    schemas={"LumaRelayGeneration": GENERATION, "LumaRelayTask": TASK, "LumaRelayError": ERROR},
    error="LumaRelayError",
    refusal="LumaRelayError",
)
