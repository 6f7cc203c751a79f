"""What providers keep, as bodies and queries name it: texts at named places, pages of lists, and what is refused."""

from typing import Any

import pytest

from unigate.base.errors import BadAnswer, BadRequest, InvalidJson
from unigate.dialects import json_places, openai_passed, openai_passed_list, operations

VALUE: dict[str, Any] = {
    "file_id": "a",
    "file_ids": ["b", 7, "c"],
    "files": [{"file_id": "d"}, {"other": "e"}, "f"],
    "text": {"file_id": "g"},
}
ROWS = {row.name: row for row in operations() if row.use == "passed" and row.dialect.startswith("openai_")}


def test_texts_are_found_where_they_are_named_and_nowhere_else() -> None:
    places = ("file_id", "file_ids.*", "files.*.file_id", "text.*", "missing.x", "file_id.x", "file_id.*")
    assert list(json_places.texts(VALUE, places)) == [
        ("file_id", "a"),
        ("file_ids.0", "b"),
        ("file_ids.2", "c"),
        ("files.0.file_id", "d"),
        ("text.file_id", "g"),
    ]
    assert list(json_places.texts(None, places)) == []


def test_texts_are_replaced_in_a_copy() -> None:
    changed = json_places.replaced(VALUE, ("file_id", "file_ids.*", "files.*.file_id", "text.*"), str.upper)
    assert changed == {
        "file_id": "A",
        "file_ids": ["B", 7, "C"],
        "files": [{"file_id": "D"}, {"other": "e"}, "f"],
        "text": {"file_id": "G"},
    }
    assert VALUE["file_id"] == "a" and VALUE["files"][0] == {"file_id": "d"}


def test_every_row_says_what_it_is_about() -> None:
    assert len(ROWS) > 50
    for row in ROWS.values():
        assert row.scope == "platform" and row.binds and row.upstream_path == row.path.removeprefix("/v1")
        assert row.free == (row.method != "POST")
        named = [place[1:-1] for place in row.files if place.startswith("{")]
        assert all(f"{{{name}}}" in row.path for name in named)
        assert row.path.count("{id}") <= 1
        if row.name.endswith(".list") and "{id}" not in row.path:
            assert f"{row.name.removesuffix('.list')}.get" in ROWS
        missing = openai_passed.missing(row.binds, "x" * 5000)
        assert "xxx" in missing.message and len(missing.message) < 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b'{"file_ids": 1, "file_ids": 2}', b'{"a": "\xff"}', b"[" * 9999])
def test_bodies_that_are_no_objects_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        openai_passed.read_body(body, ROWS["openai.vector_stores.create"])


def test_items_are_taken_whole() -> None:
    row = ROWS["openai.conversations.create"]
    assert openai_passed.read_body(b"", row) == {}
    for good in (b'{"items": null}', b'{"items": [{"type": null, "content": "x"}]}', b'{"items": [7]}'):
        openai_passed.read_body(good, row)
    for bad in (b'{"id": "x"}', b'{"id": "x", "type": null}', b'{"id": "x", "type": "item_reference", "content": ""}'):
        with pytest.raises(BadRequest) as refused:
            openai_passed.read_body(b'{"items": [' + bad + b"]}", row)
        assert refused.value.param == "items.0"


def test_answers_that_name_nothing_are_bad() -> None:
    assert openai_passed.read_made(b'{"id": "vs_1"}') == "vs_1"
    for body in (b"", b"[]", b"{}", b'{"id": 1}', b'{"id": ""}', b"<html>"):
        with pytest.raises(BadAnswer):
            openai_passed.read_made(body)


def test_pages() -> None:
    page = openai_passed_list.read(b"", "vector_store")
    assert (page.limit, page.newest_first, page.after, page.before) == (20, True, "", "")
    assert not openai_passed_list.read(b"", "eval").newest_first
    page = openai_passed_list.read(b"metadata[a]=b&metadata%5Bc%5D=d&name=x&limit=100", "fine_tuning_job")
    assert (page.metadata, page.name, page.limit) == ({"a": "b", "c": "d"}, "", 100)
    assert page.wants({"metadata": {"a": "b", "c": "d", "e": "f"}})
    assert not page.wants({"metadata": {"a": "b"}}) and not page.wants({"metadata": None}) and not page.wants({})
    named = openai_passed_list.read(b"name=x", "container")
    assert named.wants({"name": "x"}) and not named.wants({"name": "y"})
    for bad in (b"limit=0", b"limit=-1", b"limit=1e2", b"limit=", b"order=", b"after=%00", b"after=a&before=b"):
        with pytest.raises(BadRequest):
            openai_passed_list.read(bad, "vector_store")
