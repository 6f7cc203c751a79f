"""Ids of kept things in bodies: found and replaced at their members only, in whichever way they are written."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unigate.base.errors import BadRequest
from unigate.dialects import openai_chat, openai_image_edits, openai_references, openai_responses
from unigate.dialects.openai_references import Carried
from unigate.spec.reference import Reference

PICTURE = Carried(filename="a.png", url="data:image/png;base64,AA==")


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", **members}).encode()


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


CHAT = body(messages=user({"type": "text", "text": "hi"}, {"type": "file", "file": {"file_id": "file-a"}}))
RESPONSE = body(
    input=user(
        {"type": "input_text", "text": 'it says "file_id": "file-text"'},
        {"type": "input_file", "file_id": "file-a"},
        {"type": "input_image", "file_id": "file-b", "detail": "low"},
    ),
    tools=[
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-a", "file-c"]}},
        {"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]},
        {"type": "image_generation", "input_image_mask": {"file_id": "file-d"}},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "function", "name": "f", "parameters": {"properties": {"file_id": "file-schema"}}},
    ],
    prompt={"id": "p", "variables": {"file_id": "just a text", "doc": {"type": "input_file", "file_id": "file-e"}}},
    metadata={"file_id": "file-note"},
)


def test_each_reference_is_found_where_it_stands_and_nowhere_else() -> None:
    found = {(one.kind, one.id) for one in openai_responses.read(RESPONSE).references}
    files = {("file", f"file-{letter}") for letter in "abcde"}
    assert found == {*files, ("vector_store", "vs_1"), ("vector_store", "vs_2"), ("container", "cntr_1")}
    assert openai_chat.read(CHAT).references == (Reference("file", "file-a", "file_id"),)


@pytest.mark.parametrize("member", ["parameters", "schema", "json_schema", "input_schema"])
def test_nothing_in_a_schema_is_a_reference(member: str) -> None:
    tool = {"type": "mcp", "name": "f", member: {"properties": {"x": {"default": {"file_id": "file-x"}}}}}
    assert openai_references.find(body(tools=[tool])) == ()


def test_what_an_answer_told_and_comes_back_is_no_reference() -> None:
    said = {"type": "output_text", "text": "x", "annotations": [{"type": "file_citation", "file_id": "file-x"}]}
    items = [
        {"role": "assistant", "content": [said]},
        {"type": "code_interpreter_call", "id": "ci", "container_id": "cntr_old", "code": "1"},
        {"type": "file_search_call", "id": "fs", "results": [{"file_id": "file-y"}]},
    ]
    assert openai_responses.read(body(input=items)).references == ()


def test_no_member_hides_behind_escapes() -> None:
    hidden = RESPONSE.replace(b'"vector_store_ids"', b'"vector\\u005fstore_ids"').replace(b"file-a", b"file\\u002da")
    assert openai_references.find(hidden) == openai_references.find(RESPONSE)
    assert json.loads(openai_references.put(hidden, {"file-a": "A"})) == json.loads(
        openai_references.put(RESPONSE, {"file-a": "A"})
    )
    chat = CHAT.replace(b'"file_id"', b'"file\\u005fid"')
    assert [one.id for one in openai_chat.read(chat).references] == ["file-a"]


def test_pictures_to_be_changed_may_be_files() -> None:
    asked = body(prompt="x", images=[{"file_id": "file-a"}, {"image_url": "data:x"}], mask={"file_id": "file-b"})
    assert [one.id for one in openai_image_edits.read(asked).references] == ["file-a", "file-b"]
    assert openai_image_edits.read(body(prompt="a file_id")).references == ()


def test_only_the_ids_change() -> None:
    changed = openai_references.put(RESPONSE, {"file-a": "file-AAAA", "file-note": "no", "file-text": "no"})
    assert changed == RESPONSE.replace(b'"file_id": "file-a"', b'"file_id": "file-AAAA"').replace(
        b'["file-a"', b'["file-AAAA"'
    )
    assert openai_references.put(CHAT, {}) == CHAT


def test_files_are_carried_where_there_is_a_form_for_it() -> None:
    changed = json.loads(openai_references.put(CHAT, {}, {"file-a": PICTURE}))
    file = changed["messages"][0]["content"][1]["file"]
    assert file == {"file_data": PICTURE.url, "filename": "a.png"}
    response = body(input=user({"type": "input_file", "file_id": "a", "filename": "mine"}))
    part = json.loads(openai_references.put(response, {}, {"a": PICTURE}))["input"][0]["content"][0]
    assert part == {"type": "input_file", "file_data": PICTURE.url, "filename": "mine"}
    response = body(input=user({"type": "input_image", "file_id": "a", "detail": "low"}))
    part = json.loads(openai_references.put(response, {}, {"a": PICTURE}))["input"][0]["content"][0]
    assert part == {"type": "input_image", "image_url": PICTURE.url, "detail": "low"}


@pytest.mark.parametrize(
    "asked",
    [
        body(tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-a"]}}]),
        body(messages=[{"file": {"file_id": "file-a"}}]).replace(b"}}]", b', "file_id": "file-a"}}]'),
    ],
    ids=["no form", "twice"],
)
def test_what_cannot_be_carried_is_an_error(asked: bytes) -> None:
    with pytest.raises(LookupError):
        openai_references.put(asked, {}, {"file-a": PICTURE})


def test_ids_of_a_provider_become_ours() -> None:
    told = b'{"annotations":[{"file_id":"file-THEIRS"}],"text":"file-THEIRS is a name","id":"file-other"}'
    ours = openai_references.names(told, {b"file-THEIRS": b"file-ours"})
    assert ours == told.replace(b'"file-THEIRS"', b'"file-ours"')


def test_containers_that_were_made_are_those_of_items_not_of_what_was_asked() -> None:
    call = {"type": "code_interpreter_call", "container_id": "cntr_1"}
    note = {"type": "container_file_citation", "container_id": "cntr_2", "file_id": "cfile_1"}
    said = {"type": "message", "content": [{"type": "output_text", "annotations": [note]}]}
    response = {"tools": [{"parameters": {"container_id": "cntr_asked"}}], "output": [call, said]}
    assert openai_references.made_containers(json.dumps(response).encode()) == {"cntr_1", "cntr_2"}
    events = [{"response": response}, {"item": {"container_id": "cntr_3"}}, {"annotation": note}, {"item": {"id": 1}}]
    stream = b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert openai_references.made_containers(stream) == {"cntr_1", "cntr_2", "cntr_3"}
    assert openai_references.made_containers(b'{"container_id": 1, "output": [{"container_id": 1}]}') == set()
    assert openai_responses.read(body(input="x", tools=[{"type": "code_interpreter"}])).containers
    assert not openai_responses.read(body(input="x", tools=[{"type": "file_search"}])).containers


@pytest.mark.parametrize(
    "item", [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}, {"type": None, "id": "msg_1"}], ids=str
)
def test_items_are_named_only_with_what_shows_whose_they_are(item: dict[str, Any]) -> None:
    given = [{"role": "user", "content": "hi", "id": "msg_0"}, item]
    for asked in (body(input=given), body(input=given).replace(b'"id"', b'"\\u0069d"')):
        with pytest.raises(BadRequest) as refused:
            openai_responses.read(asked)
        assert refused.value.param == "input.1"
    for more in ({"previous_response_id": "resp_1"}, {"conversation": "conv_1"}):
        assert openai_responses.read(body(input=given, **more)).open_input
    openai_responses.read(body(input=given[:1]))
    openai_responses.read(body(input='it has an "id"'))


@pytest.mark.parametrize("named", ["conv_1", {"id": "conv_1"}], ids=["id", "object"])
def test_a_response_may_go_on_in_a_conversation(named: object) -> None:
    facts = openai_responses.read(body(input="hi", conversation=named))
    assert facts.references == (Reference("conversation", "conv_1", "conversation"),)
    assert facts.open_input


@pytest.mark.parametrize("named", ["", 1, {}, {"id": 1}, []], ids=str)
def test_a_conversation_that_is_none_is_refused(named: object) -> None:
    with pytest.raises(BadRequest) as refused:
        openai_responses.read(body(input="hi", conversation=named))
    assert refused.value.param == "conversation"


@pytest.mark.parametrize(
    "members",
    [
        {"input": user({"type": "input_file", "file_id": "file-a"})},
        {"input": "x", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
        {"input": "x", "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-a"]}}]},
        {"input": "x", "tools": [{"type": "code_interpreter", "container": "cntr_1"}]},
    ],
    ids=["file", "store", "files", "container"],
)
def test_what_is_referred_to_is_held_as_if_it_were_long(members: dict[str, Any]) -> None:
    assert openai_responses.read(body(**members)).open_input
    assert openai_chat.read(CHAT).open_input


@pytest.mark.parametrize(
    "inner",
    ['["file-a",1]', '[{"file_ids":["file-a"]}]', '[["file-a"]]', '["file-a",null]', '[["file_ids"],"file-a"]'],
)
def test_a_list_of_ids_holds_nothing_else(inner: str) -> None:
    with pytest.raises(BadRequest) as refused:
        openai_references.find(b'{"tools":[{"file_ids":%b}]}' % inner.encode())
    assert refused.value.param == "file_ids"


@pytest.mark.parametrize(
    ("repeated", "around"),
    [
        (b"{},", b'{"a":[%b1],"file_id":"x"}'),
        (b'{"file_id":"x"},', b'{"a":[%b1]}'),
        (b'{"file_ids":["x","y"]},', b'{"a":[%b1]}'),
        (b'"x",', b'{"file_ids":[%b"x"]}'),
        (b'"file_id":"x",', b'{"a":{%b"b":1}}'),
    ],
    ids=["objects", "places", "lists", "ids", "members"],
)
def test_what_takes_long_to_look_through_is_refused(repeated: bytes, around: bytes) -> None:
    with pytest.raises(BadRequest):
        openai_references.find(around % (repeated * 250_000))
    assert openai_references.find(around % (repeated * 500))


def test_one_body_names_so_much() -> None:
    ids = [f"file-{number}" for number in range(openai_references.MOST)]
    assert len(openai_references.find(body(file_ids=ids))) == openai_references.MOST
    with pytest.raises(BadRequest):
        openai_references.find(body(file_ids=[*ids, "file-more"]))


def test_nothing_is_looked_through_again_for_each_list_that_it_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    level = openai_references._Around._level

    def counted(self: Any, *args: Any) -> Any:
        steps.append(args)
        return level(self, *args)

    monkeypatch.setattr(openai_references._Around, "_level", counted)
    deep = b'{"results":' + b'{"file_ids":[' * 60 + b'"x"' + b"]}" * 60 + b"}"
    assert openai_references.find(b"[%b]" % b",".join([deep] * 50)) == ()
    assert len(steps) <= 50 * 121 + 1, "each object and list is looked at once, however deep it lies"


def odd(value: Any, above: tuple[str, ...] = ()) -> bool:
    """Whether a list of ids has anything but texts in it."""
    if isinstance(value, list):
        return any(odd(one, (*above, "")) for one in value)
    if not isinstance(value, dict) or {"metadata", "parameters", "schema", "annotations", "results"} & {*above}:
        return False
    for key, inner in value.items():
        counts = key in openai_references.KINDS and above[-1:] != ("variables",)
        counts = counts and (openai_references.KINDS[key] != "container" or "tools" in above)
        if counts and isinstance(inner, list) and not all(isinstance(one, str) for one in inner):
            return True
        if odd(inner, (*above, key)):
            return True
    return False


def plainly(value: Any, above: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    """Kind and id of each reference, by walking the decoded body."""
    if isinstance(value, list):
        return set().union(*(plainly(one, (*above, "")) for one in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    skipped = {"metadata", "parameters", "schema", "annotations", "results"}
    for key, inner in value.items():
        if key in openai_references.KINDS and not skipped & {*above} and above[-1:] != ("variables",):
            kind = openai_references.KINDS[key]
            if kind != "container" or "tools" in above:
                texts = inner if isinstance(inner, list) else [inner]
                named = {one for one in texts if isinstance(one, str)}
                found |= {(kind, one) for one in named if kind != "file" or not one.startswith("cfile_")}
        found |= plainly(inner, (*above, key))
    return found


NAMES = st.sampled_from(
    [
        *openai_references.KINDS,
        "metadata",
        "parameters",
        "variables",
        "tools",
        "results",
        "input",
        'a"file_id',
        "\\",
        "é",
    ]
)
TEXTS = st.sampled_from(
    ["file-a", "vs_1", 'x": {"file_id": "no"', '"file_id": "no"', "\\", '\\"', "cfile_1", "]}", "ä", ""]
)
BODIES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=400)
@given(members=st.dictionaries(NAMES, BODIES, max_size=5), spaced=st.booleans(), plain=st.booleans())
def test_references_are_those_of_the_decoded_body(members: dict[str, Any], spaced: bool, plain: bool) -> None:
    asked = json.dumps(members, indent=1 if spaced else None, ensure_ascii=plain).encode()
    if odd(members):
        with pytest.raises(BadRequest):
            openai_references.find(asked)
        return
    assert {(one.kind, one.id) for one in openai_references.find(asked)} == plainly(members)
    changed = openai_references.put(asked, {"file-a": "file-b"})
    expected = {(kind, "file-b" if (kind, id) == ("file", "file-a") else id) for kind, id in plainly(members)}
    assert plainly(json.loads(changed)) == expected
