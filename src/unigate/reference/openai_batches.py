"""Batches: `/v1/batches`."""

from unigate.dialects.openai_batches import ENDPOINTS, MOST_LISTED, NAME, PAIRS, VALUE, WINDOWS
from unigate.reference.openai_files import ID as FILE
from unigate.reference.openai_files import SECONDS
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import NULL, Schema, either, many, mapping, maybe, only, record, ref, text, whole

_ID = "batch_01J9Z6V3Q9T2K4M8N0P2R4S6T8"
_STATES = ("validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled")
_TIMES = ("finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at")
_ASKED = {"input_file_id": FILE, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
_SHOWN = {
    "id": _ID,
    "object": "batch",
    **_ASKED,
    "model": "gpt-4o-mini",
    "errors": None,
    "status": "in_progress",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": 1790000000,
    "in_progress_at": 1790000002,
    "expires_at": 1790086400,
    **dict.fromkeys(_TIMES),
    "request_counts": {"total": 100, "completed": 40, "failed": 1},
    "usage": {
        "input_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 800,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2000,
    },
    "metadata": {"job": "nightly"},
}
_METADATA = maybe(mapping(text(most=VALUE), f"Up to {PAIRS} pairs; names of up to {NAME} characters.", most=PAIRS))
_PLACES: dict[str, Schema] = {"id": text("The id of a batch.", least=1)}
_WHEN = maybe(whole("Seconds since 1970; null: not yet, or never."))
_COUNT = whole(low=0)
PAGE = Page(
    title="Batches",
    about="Many calls of one endpoint in a file. A line is `{custom_id, method: POST, url, body}`; `url` is the batch's "
    "endpoint, and `body` what a call would have as its body, without `stream`. Each line is a call of its own: it needs "
    "what its key may do, and costs what a call costs, less the discount of the operator. What was answered stands in the "
    "output file, what failed in the error file; the order of the lines there is that of the input.",
    entries=(
        Entry(
            operation="openai.batches.create",
            title="Create a batch",
            about="The file has the purpose `batch`. It is checked before any line is called: a batch whose file is not in "
            "order becomes `failed`, with the errors of its lines, and costs nothing.",
            request=record(
                {
                    "input_file_id": text(least=1),
                    "endpoint": text(of=ENDPOINTS),
                    "completion_window": text(of=WINDOWS),
                    "metadata": _METADATA,
                    "output_expires_after": record(
                        {"anchor": only("created_at"), "seconds": SECONDS},
                        "When its files expire; after 30 days unless told.",
                        needs=("anchor", "seconds"),
                    ),
                },
                needs=("input_file_id", "endpoint", "completion_window"),
            ),
            answer=ref("Batch"),
            shown={**_SHOWN, "status": "validating", "in_progress_at": None, "usage": None, "model": None},
            examples=(Example(title="Chats", body={**_ASKED, "metadata": {"job": "nightly"}}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.batches.list",
            title="List batches",
            about="The user's batches, the newest first.",
            answer=ref("BatchList"),
            shown={"object": "list", "data": [_SHOWN], "first_id": _ID, "last_id": _ID, "has_more": False},
            query={
                "limit": whole("20 unless told.", low=1, high=MOST_LISTED),
                "after": text("The id of the batch behind which to begin."),
            },
            examples=(Example(title="All"), Example(title="Two", query={"limit": "2"})),
        ),
        Entry(
            operation="openai.batches.get",
            title="Get a batch",
            about="How far it is, and its files once it has ended.",
            answer=ref("Batch"),
            shown=_SHOWN,
            places=_PLACES,
            examples=(Example(title="One", path={"id": _ID}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.batches.cancel",
            title="Cancel a batch",
            about="Lines under way are answered and charged, others are not begun. What was answered is in its files.",
            answer=ref("Batch"),
            shown={**_SHOWN, "status": "cancelling", "cancelling_at": 1790000300},
            places=_PLACES,
            examples=(Example(title="One", path={"id": _ID}),),
            fails=(404, 409),
        ),
    ),
    schemas={
        "Batch": record(
            {
                "id": text(),
                "object": only("batch"),
                "endpoint": text(of=ENDPOINTS),
                "model": maybe(text("That all lines name; null where they name several.")),
                "errors": either(ref("BatchErrors"), NULL),
                "input_file_id": text(),
                "completion_window": text(of=WINDOWS),
                "status": text(of=_STATES),
                "output_file_id": maybe(text()),
                "error_file_id": maybe(text()),
                "created_at": whole("Seconds since 1970."),
                "in_progress_at": _WHEN,
                "expires_at": whole("What has not been called by then is not called any more."),
                **dict.fromkeys(_TIMES, _WHEN),
                "request_counts": record(
                    {"total": _COUNT, "completed": _COUNT, "failed": _COUNT}, needs=("total", "completed", "failed")
                ),
                "usage": either(ref("BatchUsage"), NULL),
                "metadata": maybe(mapping(text())),
            },
            "A batch.",
            needs=("id", "object", "endpoint", "input_file_id", "completion_window", "status", "created_at"),
        ),
        "BatchErrors": record(
            {
                "object": only("list"),
                "data": many(
                    record(
                        {
                            "code": text(),
                            "message": text(),
                            "param": maybe(text()),
                            "line": maybe(whole("In the input file, from 1.", low=1)),
                        }
                    )
                ),
            },
            "What is wrong with a file; the first hundred errors.",
        ),
        "BatchUsage": record(
            {
                "input_tokens": _COUNT,
                "input_tokens_details": record({"cached_tokens": _COUNT}),
                "output_tokens": _COUNT,
                "output_tokens_details": record({"reasoning_tokens": _COUNT}),
                "total_tokens": _COUNT,
            },
            "Of all lines together.",
        ),
        "BatchList": record(
            {
                "object": only("list"),
                "data": many(ref("Batch")),
                "first_id": maybe(text()),
                "last_id": maybe(text()),
                "has_more": {"type": "boolean"},
            },
            "A page of batches.",
            needs=("object", "data", "has_more"),
        ),
    },
)
