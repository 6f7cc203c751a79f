"""Uploads in parts: `/v1/uploads`."""

from unigate.dialects.openai_files import PURPOSES
from unigate.dialects.openai_uploads import MOST_PARTS
from unigate.reference.openai_files import SECONDS, SHOWN
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import NULL, Schema, either, many, only, record, ref, text, whole

_ID = "upload_01J9Z6V3Q9T2K4M8N0P2R4S6T8"
_PART = "part_01J9Z6V3QAT2K4M8N0P2R4S6T8"
_SHOWN = {
    "id": _ID,
    "object": "upload",
    "bytes": 120000,
    "created_at": 1790000000,
    "filename": "data.jsonl",
    "purpose": "user_data",
    "status": "pending",
    "expires_at": 1790003600,
    "file": None,
}
_PLACES: dict[str, Schema] = {"id": text("The id of an upload.", least=1)}
PAGE = Page(
    title="Uploads",
    about="Large files in parts. An upload is there for an hour, and counts among what its user may have from the beginning.",
    entries=(
        Entry(
            operation="openai.uploads.create",
            title="Begin an upload",
            about="What the file is to be.",
            request=record(
                {
                    "bytes": whole("Of the whole file.", low=1),
                    "filename": text(least=1, most=255),
                    "mime_type": text(least=3),
                    "purpose": text(of=PURPOSES),
                    "expires_after": record(
                        {"anchor": only("created_at"), "seconds": SECONDS}, needs=("anchor", "seconds")
                    ),
                },
                needs=("bytes", "filename", "mime_type", "purpose"),
            ),
            answer=ref("Upload"),
            shown=_SHOWN,
            examples=(
                Example(
                    title="A file",
                    body={"bytes": 5, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"},
                ),
            ),
        ),
        Entry(
            operation="openai.uploads.parts",
            title="Add a part",
            about="Up to 64 MiB; parts may come side by side, and more than once.",
            request=record(
                {"data": {"type": "string", "contentMediaType": "application/octet-stream"}}, needs=("data",)
            ),
            request_type="multipart/form-data",
            answer=ref("UploadPart"),
            shown={"id": _PART, "object": "upload.part", "created_at": 1790000010, "upload_id": _ID},
            places=_PLACES,
            examples=(Example(title="A part", path={"id": _ID}, body={"data": "hello"}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.uploads.complete",
            title="Complete an upload",
            about="Makes the parts that are named, in this order, a file.",
            request=record(
                {
                    "part_ids": many(text(), least=1, most=MOST_PARTS),
                    "md5": text("Of the whole file, in hexadecimal digits; checked where it is given."),
                },
                needs=("part_ids",),
            ),
            answer=ref("Upload"),
            shown={**_SHOWN, "status": "completed", "file": SHOWN},
            places=_PLACES,
            examples=(Example(title="One part", path={"id": _ID}, body={"part_ids": [_PART]}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.uploads.cancel",
            title="Cancel an upload",
            about="Its parts are removed.",
            answer=ref("Upload"),
            shown={**_SHOWN, "status": "cancelled"},
            places=_PLACES,
            examples=(Example(title="One", path={"id": _ID}),),
            fails=(404,),
        ),
    ),
    schemas={
        "Upload": record(
            {
                "id": text(),
                "object": only("upload"),
                "bytes": whole(low=1),
                "created_at": whole("Seconds since 1970."),
                "filename": text(),
                "purpose": text(of=PURPOSES),
                "status": text(of=("pending", "completed", "cancelled", "expired")),
                "expires_at": whole("Until then it may be completed."),
                "file": either(ref("File"), NULL),
            },
            "An upload; with its file once it is complete.",
            needs=("id", "object", "bytes", "created_at", "filename", "purpose", "status", "expires_at"),
        ),
        "UploadPart": record(
            {"id": text(), "object": only("upload.part"), "created_at": whole(), "upload_id": text()},
            "A part.",
            needs=("id", "object", "created_at", "upload_id"),
        ),
    },
)
