"""Containers: `/v1/containers`."""

from unigate.reference.page import Page
from unigate.reference.passed import PAGED, WHEN, Kept, deleted, page_of, shown_deleted, shown_page
from unigate.reference.schema import ANYTHING, Schema, many, mapping, maybe, only, record, ref, text, whole

_ID, _FILE = "cntr_67ee0a1b2c3d", "cfile_67ee0a1b2c3d"
_KEPT = Kept(family="containers", places={"id": _ID, "file_id": _FILE})
_SHOWN = {
    "id": _ID,
    "object": "container",
    "created_at": 1790000000,
    "name": "Sums",
    "status": "running",
    "last_active_at": 1790000000,
    "expires_after": {"anchor": "last_active_at", "minutes": 20},
    "memory_limit": "1g",
}
_SHOWN_FILE = {
    "id": _FILE,
    "object": "container.file",
    "created_at": 1790000000,
    "container_id": _ID,
    "bytes": 5,
    "path": "/mnt/data/a.txt",
    "source": "user",
}
_EXPIRES = record(
    {"anchor": only("last_active_at"), "minutes": whole(low=1)},
    "When it ends by itself.",
    needs=("anchor", "minutes"),
)
_PAGED: dict[str, Schema] = {name: one for name, one in PAGED.items() if name != "before"}
PAGE = Page(
    title="Containers",
    about="Where models run code (`code_interpreter` in responses); they stay with the provider that made them, and end soon.",
    entries=(
        _KEPT.entry(
            "create",
            "Create a container",
            "With files of yours, or none.",
            ref("Container"),
            _SHOWN,
            places="",
            request=record(
                {
                    "name": text(least=1),
                    "file_ids": many(text("One of your files.", least=1)),
                    "expires_after": _EXPIRES,
                    "memory_limit": text(of=("1g", "4g", "16g", "64g")),
                    "network_policy": mapping(ANYTHING, "Whether code in it may use the network."),
                },
                needs=("name",),
            ),
            body={"name": "Sums"},
        ),
        _KEPT.entry(
            "list",
            "List containers",
            "Those of the key's user.",
            page_of(ref("Container")),
            shown_page(_SHOWN),
            places="",
            query={**PAGED, "name": text("Only those of this name.")},
        ),
        _KEPT.entry("get", "Get a container", "As it is now.", ref("Container"), _SHOWN),
        _KEPT.entry(
            "delete",
            "Delete a container",
            "Its files go with it.",
            deleted("container.deleted"),
            shown_deleted(_ID, "container.deleted"),
        ),
        _KEPT.entry(
            "files.create",
            "Put a file into a container",
            "A form with `file`, or JSON with the `file_id` of one of your files.",
            ref("ContainerFile"),
            _SHOWN_FILE,
            request=record(
                {"file": {"type": "string", "contentMediaType": "application/octet-stream"}}, needs=("file",)
            ),
            request_type="multipart/form-data",
            body={"file": "hello"},
        ),
        _KEPT.entry(
            "files.list",
            "List files",
            "Those of a container, whether you put them there or code made them.",
            page_of(ref("ContainerFile")),
            shown_page(_SHOWN_FILE),
            query=_PAGED,
        ),
        _KEPT.entry(
            "files.get", "Get a file", "Of a container.", ref("ContainerFile"), _SHOWN_FILE, places="id file_id"
        ),
        _KEPT.entry(
            "files.delete",
            "Delete a file",
            "Of a container.",
            deleted("container.file.deleted"),
            shown_deleted(_FILE, "container.file.deleted"),
            places="id file_id",
        ),
        _KEPT.entry(
            "files.content",
            "Read a file",
            "Its bytes, or with `range` a part of them.",
            {"type": "string", "contentMediaType": "application/octet-stream"},
            "hello",
            places="id file_id",
            answer_type="*/*",
        ),
    ),
    schemas={
        "Container": record(
            {
                "id": text(),
                "object": text(),
                "created_at": WHEN,
                "name": text(),
                "status": text("`running`, `expired`, ..."),
                "last_active_at": maybe(WHEN),
                "expires_after": maybe(_EXPIRES),
                "memory_limit": text(),
            },
            "A container.",
            needs=("id", "object", "created_at", "name", "status"),
        ),
        "ContainerFile": record(
            {
                "id": text("Its id in the container, which is no id of `/v1/files`."),
                "object": text(),
                "created_at": WHEN,
                "container_id": text(),
                "bytes": maybe(whole(low=0)),
                "path": text(),
                "source": text("`user` or `assistant`."),
            },
            "A file of a container.",
            needs=("id", "object", "created_at", "container_id", "path"),
        ),
    },
)
