"""Vector stores: `/v1/vector_stores`."""

from unigate.reference.page import Page
from unigate.reference.passed import PAGED, WHEN, Kept, deleted, page_of, shown_deleted, shown_page
from unigate.reference.schema import (
    ANYTHING,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    only,
    record,
    ref,
    text,
    whole,
)
from unigate.reference.shared import METADATA

_ID, _FILE, _BATCH = "vs_67ee0a1b2c3d", "file-01J9Z6V3Q9T2K4M8N0P2R4S6T8", "vsfb_67ee0a1b2c3d"
_KEPT = Kept(family="vector_stores", places={"id": _ID, "file_id": _FILE, "batch_id": _BATCH})
_COUNTS = mapping(whole(low=0), "How many files are in_progress, completed, failed, cancelled, and in total.")
_SHOWN_COUNTS = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
_SHOWN = {
    "id": _ID,
    "object": "vector_store",
    "created_at": 1790000000,
    "name": "Manuals",
    "usage_bytes": 1200,
    "file_counts": _SHOWN_COUNTS,
    "status": "completed",
    "last_active_at": 1790000000,
    "metadata": {},
}
_SHOWN_FILE = {
    "id": _FILE,
    "object": "vector_store.file",
    "created_at": 1790000000,
    "vector_store_id": _ID,
    "usage_bytes": 1200,
    "status": "completed",
    "last_error": None,
    "attributes": {},
}
_SHOWN_BATCH = {
    "id": _BATCH,
    "object": "vector_store.files_batch",
    "created_at": 1790000000,
    "vector_store_id": _ID,
    "status": "in_progress",
    "file_counts": {**_SHOWN_COUNTS, "in_progress": 1, "completed": 0},
}
_STATUS = text(of=("in_progress", "completed", "cancelled", "failed"))
_ATTRIBUTES = maybe(mapping(ANYTHING, "Up to 16 notes by which `filters` find it.", most=16))
_CHUNKING = mapping(ANYTHING, "How its text is cut: `{type: auto}`, or `{type: static, static: {...}}`.")
_FILE_ID = text("One of your files.", least=1)
_FILES = {**PAGED, "filter": text("Only files in this state.", of=("in_progress", "completed", "failed", "cancelled"))}
_EXPIRES = maybe(
    record(
        {"anchor": only("last_active_at"), "days": whole(low=1, high=365)},
        "When it ends by itself.",
        needs=("anchor", "days"),
    )
)
PAGE = Page(
    title="Vector stores",
    about="Files that models and callers search in. They stay with the provider that made them; files are copied there.",
    entries=(
        _KEPT.entry(
            "create",
            "Create a vector store",
            "Of files of yours, or none yet.",
            ref("VectorStore"),
            _SHOWN,
            places="",
            request=record(
                {
                    "name": text(),
                    "description": text(),
                    "file_ids": many(_FILE_ID, most=500),
                    "expires_after": _EXPIRES,
                    "chunking_strategy": _CHUNKING,
                    "metadata": METADATA,
                }
            ),
            body={"name": "Manuals"},
        ),
        _KEPT.entry(
            "list",
            "List vector stores",
            "Those of the key's user.",
            page_of(ref("VectorStore")),
            shown_page(_SHOWN),
            places="",
            query=PAGED,
        ),
        _KEPT.entry("get", "Get a vector store", "As it is now.", ref("VectorStore"), _SHOWN),
        _KEPT.entry(
            "update",
            "Change a vector store",
            "Its name, notes, or when it expires.",
            ref("VectorStore"),
            _SHOWN,
            request=record({"name": maybe(text()), "expires_after": _EXPIRES, "metadata": METADATA}),
            body={"name": "Old manuals"},
        ),
        _KEPT.entry(
            "delete",
            "Delete a vector store",
            "Its files stay.",
            deleted("vector_store.deleted"),
            shown_deleted(_ID, "vector_store.deleted"),
        ),
        _KEPT.entry(
            "search",
            "Search",
            "Finds pieces of the files that fit a question.",
            ref("VectorStoreResults"),
            {
                "object": "vector_store.search_results.page",
                "search_query": ["How is it cleaned?"],
                "data": [
                    {
                        "file_id": _FILE,
                        "filename": "manual.txt",
                        "score": 0.83,
                        "attributes": {},
                        "content": [{"type": "text", "text": "Clean it with water."}],
                    }
                ],
                "has_more": False,
                "next_page": None,
            },
            request=record(
                {
                    "query": either(text(least=1), many(text(least=1), least=1), about="What is looked for."),
                    "max_num_results": whole(low=1, high=50),
                    "rewrite_query": flag("Let the provider word it anew."),
                    "filters": mapping(
                        ANYTHING, "By attributes: comparisons (`eq`, `gt`, ...), and `and` or `or` of them."
                    ),
                    "ranking_options": mapping(ANYTHING, "`ranker`, `score_threshold`."),
                },
                needs=("query",),
            ),
            body={"query": "How is it cleaned?"},
        ),
        _KEPT.entry(
            "files.create",
            "Add a file",
            "It is read in the background; ask until its `status` is no longer `in_progress`.",
            ref("VectorStoreFile"),
            {**_SHOWN_FILE, "status": "in_progress"},
            request=record(
                {"file_id": _FILE_ID, "attributes": _ATTRIBUTES, "chunking_strategy": _CHUNKING}, needs=("file_id",)
            ),
            body={"file_id": _FILE},
        ),
        _KEPT.entry(
            "files.list",
            "List files",
            "Those of a vector store.",
            page_of(ref("VectorStoreFile")),
            shown_page(_SHOWN_FILE),
            query=_FILES,
        ),
        _KEPT.entry(
            "files.get", "Get a file", "Of a vector store.", ref("VectorStoreFile"), _SHOWN_FILE, places="id file_id"
        ),
        _KEPT.entry(
            "files.update",
            "Change a file's attributes",
            "All of them.",
            ref("VectorStoreFile"),
            _SHOWN_FILE,
            places="id file_id",
            request=record({"attributes": _ATTRIBUTES}, needs=("attributes",)),
            body={"attributes": {"year": 2026}},
        ),
        _KEPT.entry(
            "files.delete",
            "Take a file out",
            "The file itself stays.",
            deleted("vector_store.file.deleted"),
            shown_deleted(_FILE, "vector_store.file.deleted"),
            places="id file_id",
        ),
        _KEPT.entry(
            "files.content",
            "Read a file's text",
            "As the provider has read it.",
            record(
                {
                    "object": only("vector_store.file_content.page"),
                    "data": many(record({"type": text(), "text": text()})),
                    "has_more": flag(),
                    "next_page": maybe(text()),
                },
                needs=("object", "data", "has_more"),
            ),
            {
                "object": "vector_store.file_content.page",
                "data": [{"type": "text", "text": "Clean it with water."}],
                "has_more": False,
                "next_page": None,
            },
            places="id file_id",
        ),
        _KEPT.entry(
            "file_batches.create",
            "Add several files",
            "As `file_ids`, or as `files` with attributes of their own.",
            ref("VectorStoreFileBatch"),
            _SHOWN_BATCH,
            request=record(
                {
                    "file_ids": many(_FILE_ID, least=1, most=2000),
                    "files": many(
                        record(
                            {"file_id": _FILE_ID, "attributes": _ATTRIBUTES, "chunking_strategy": _CHUNKING},
                            needs=("file_id",),
                        ),
                        least=1,
                        most=2000,
                    ),
                    "attributes": _ATTRIBUTES,
                    "chunking_strategy": _CHUNKING,
                }
            ),
            body={"file_ids": [_FILE]},
        ),
        _KEPT.entry(
            "file_batches.get",
            "Get a batch of files",
            "How far it is.",
            ref("VectorStoreFileBatch"),
            _SHOWN_BATCH,
            places="id batch_id",
        ),
        _KEPT.entry(
            "file_batches.cancel",
            "Cancel a batch of files",
            "What was not read yet is left out.",
            ref("VectorStoreFileBatch"),
            {**_SHOWN_BATCH, "status": "cancelled"},
            places="id batch_id",
            posts=True,
        ),
        _KEPT.entry(
            "file_batches.files",
            "List the files of a batch",
            "With their states.",
            page_of(ref("VectorStoreFile")),
            shown_page(_SHOWN_FILE),
            places="id batch_id",
            query=_FILES,
        ),
    ),
    schemas={
        "VectorStore": record(
            {
                "id": text(),
                "object": only("vector_store"),
                "created_at": WHEN,
                "name": maybe(text()),
                "usage_bytes": whole(low=0),
                "file_counts": _COUNTS,
                "status": text(of=("expired", "in_progress", "completed")),
                "expires_after": _EXPIRES,
                "expires_at": maybe(WHEN),
                "last_active_at": maybe(WHEN),
                "metadata": METADATA,
            },
            "A vector store.",
            needs=("id", "object", "created_at", "status", "file_counts"),
        ),
        "VectorStoreFile": record(
            {
                "id": text("The file's id, as under `/v1/files`."),
                "object": only("vector_store.file"),
                "created_at": WHEN,
                "vector_store_id": text(),
                "usage_bytes": whole(low=0),
                "status": _STATUS,
                "last_error": maybe(mapping(ANYTHING, "`code` and `message`.")),
                "attributes": _ATTRIBUTES,
                "chunking_strategy": _CHUNKING,
            },
            "A file of a vector store.",
            needs=("id", "object", "created_at", "vector_store_id", "status"),
        ),
        "VectorStoreFileBatch": record(
            {
                "id": text(),
                "object": only("vector_store.files_batch"),
                "created_at": WHEN,
                "vector_store_id": text(),
                "status": _STATUS,
                "file_counts": _COUNTS,
            },
            "Files that were added together.",
            needs=("id", "object", "created_at", "vector_store_id", "status", "file_counts"),
        ),
        "VectorStoreResults": record(
            {
                "object": only("vector_store.search_results.page"),
                "search_query": either(text(), many(text()), about="What was looked for."),
                "data": many(
                    record(
                        {
                            "file_id": text(),
                            "filename": text(),
                            "score": number("How well it fits.", low=0, high=1),
                            "attributes": _ATTRIBUTES,
                            "content": many(record({"type": text(), "text": text()}, needs=("type", "text"))),
                        },
                        needs=("file_id", "filename", "score", "content"),
                    )
                ),
                "has_more": flag(),
                "next_page": maybe(text()),
            },
            "What was found, best first.",
            needs=("object", "data", "has_more"),
        ),
    },
)
