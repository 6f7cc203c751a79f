"""Files: `/v1/files`."""

from unigate.dialects.openai_files import LEAST, MOST, MOST_FILES, PURPOSES
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import Schema, flag, many, maybe, only, record, ref, text, whole

ID = "file-01J9Z6V3Q9T2K4M8N0P2R4S6T8"
SHOWN = {
    "id": ID,
    "object": "file",
    "bytes": 120000,
    "created_at": 1790000000,
    "expires_at": None,
    "filename": "data.jsonl",
    "purpose": "user_data",
    "status": "processed",
    "status_details": None,
    "url": f"https://ai.example.com/files/{ID}.jsonl?until=1792592000&sig=0a1b",
}
FILE = record(
    {
        "id": text(),
        "object": only("file"),
        "bytes": whole(low=0),
        "created_at": whole("Seconds since 1970."),
        "expires_at": maybe(whole("Seconds since 1970; null: it stays until it is deleted.")),
        "filename": text(),
        "purpose": text("`batch_output` is ours: what came out of a batch.", of=(*PURPOSES, "batch_output")),
        "status": only("processed"),
        "status_details": maybe(text()),
        "url": text(
            "A signed link under which anybody may fetch the file, vendors too (`image_url`, ...); it works as long as the "
            "file, up to 30 days. Ask again for a fresh one."
        ),
    },
    "A file of the caller's.",
    needs=("id", "object", "bytes", "created_at", "expires_at", "filename", "purpose", "status", "url"),
)
SECONDS = whole(low=LEAST, high=MOST)
PLACES: dict[str, Schema] = {"id": text("The id of a file.", least=1)}
PAGE = Page(
    title="Files",
    about="Files that callers keep here: they belong to the user, whichever key sent them. How large one may be, and how "
    "many a user may have, the operator says.",
    entries=(
        Entry(
            operation="openai.files.create",
            title="Upload a file",
            about="One file, of up to 512 MB. Files of batches expire after 30 days unless told otherwise.",
            request=record(
                {
                    "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                    "purpose": text("What for; `user_data` unless told.", of=PURPOSES),
                    "expires_after[anchor]": only("created_at"),
                    "expires_after[seconds]": SECONDS,
                },
                needs=("file",),
            ),
            request_type="multipart/form-data",
            answer=ref("File"),
            shown=SHOWN,
            examples=(Example(title="A file", body={"file": "hello"}),),
        ),
        Entry(
            operation="openai.files.list",
            title="List files",
            about="The user's files, the newest first unless told.",
            answer=ref("FileList"),
            shown={"object": "list", "data": [SHOWN], "first_id": ID, "last_id": ID, "has_more": False},
            query={
                "purpose": text("Only those."),
                "limit": whole(low=1, high=MOST_FILES),
                "order": text("By time.", of=("asc", "desc")),
                "after": text("The id of the file behind which to begin."),
            },
            examples=(Example(title="All"), Example(title="Two", query={"limit": "2", "order": "asc"})),
        ),
        Entry(
            operation="openai.files.get",
            title="Get a file",
            about="What is known of a file.",
            answer=ref("File"),
            shown=SHOWN,
            places=PLACES,
            examples=(Example(title="One", path={"id": ID}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.files.delete",
            title="Delete a file",
            about="Nobody finds it afterwards, and its links end.",
            answer=ref("FileDeleted"),
            shown={"id": ID, "object": "file", "deleted": True},
            places=PLACES,
            examples=(Example(title="One", path={"id": ID}),),
            fails=(404,),
        ),
        Entry(
            operation="openai.files.content",
            title="Get the content of a file",
            about="Its bytes, of the type that it has; those that a browser may run come as `application/octet-stream`. "
            "A `range` may be asked for.",
            answer={"type": "string", "contentMediaType": "application/octet-stream"},
            answer_type="*/*",
            shown="hello",
            places=PLACES,
            examples=(Example(title="All", path={"id": ID}),),
            fails=(404,),
        ),
    ),
    schemas={
        "File": FILE,
        "FileList": record(
            {
                "object": only("list"),
                "data": many(ref("File")),
                "first_id": maybe(text()),
                "last_id": maybe(text()),
                "has_more": flag(),
            },
            "A page of files.",
            needs=("object", "data", "has_more"),
        ),
        "FileDeleted": record(
            {"id": text(), "object": only("file"), "deleted": {"const": True}}, needs=("id", "object", "deleted")
        ),
    },
)
