"""Changing members of a JSON text while every other byte stays."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import InvalidJson
from unigate.dialects import json_edit

SPACES = st.text(alphabet=" \t\r\n", max_size=2)
TEXT = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["model", "usage", "n", 'quo"te', "back\\slash", "ключ", ""])


@st.composite
def objects(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An object and a text of it with odd but valid white space and escapes."""
    value: dict[str, Any] = draw(st.dictionaries(KEYS, VALUES, max_size=5))
    ascii_only = draw(st.booleans())
    parts = []
    for key, inner in value.items():
        literal = json.dumps(key, ensure_ascii=ascii_only)
        text = json.dumps(inner, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 1])))
        parts.append(f"{draw(SPACES)}{literal}{draw(SPACES)}:{draw(SPACES)}{text}{draw(SPACES)}")
    return value, f"{draw(SPACES)}{{{','.join(parts) or draw(SPACES)}}}{draw(SPACES)}".encode()


@given(objects())
def test_members_have_the_spans_of_their_values(case: tuple[dict[str, Any], bytes]) -> None:
    value, text = case
    found = json_edit.members(text)
    assert [member.key for member in found] == list(value)
    for member in found:
        assert json.loads(text[member.start : member.end]) == value[member.key]
        assert text[member.at : member.at + 1] == b'"'


@given(objects(), st.dictionaries(KEYS, st.integers(), max_size=3), st.sets(KEYS, max_size=4))
def test_setting_and_dropping_does_just_that(
    case: tuple[dict[str, Any], bytes], setting: dict[str, int], drop: set[str]
) -> None:
    value, text = case
    setting = {key: new for key, new in setting.items() if key not in drop}
    after = json_edit.edited(text, {key: b"%d" % new for key, new in setting.items()}, drop)
    wanted = {key: inner for key, inner in value.items() if key not in drop} | setting
    assert json.loads(after) == wanted
    for key, inner in value.items():
        if key not in drop and key not in setting:
            before = next(m for m in json_edit.members(text) if m.key == key)
            there = next(m for m in json_edit.members(after) if m.key == key)
            assert after[there.start : there.end] == text[before.start : before.end], inner


def test_only_the_named_object_is_touched() -> None:
    text = b'{"a":{"usage":1,"b":{"usage":{"x":2}}},"usage":{"n":3},"z":"\\"usage\\":4"}'
    usage = json_edit.find(text, "usage")
    assert usage is not None
    assert text[usage.start : usage.end] == b'{"n":3}'
    inner = json_edit.find(text, "a", "b", "usage", "x")
    assert inner is not None
    assert text[inner.start : inner.end] == b"2"
    assert json_edit.edited(text, {"n": b"9"}, start=usage.start) == text.replace(b'"n":3', b'"n":9')


def test_an_object_of_countless_members_is_refused() -> None:
    """Each is a step, while the process does nothing else."""
    many = [b'"x":1'] * json_edit.MOST
    assert len(json_edit.members(b"{" + b",".join(many) + b"}")) == json_edit.MOST
    with pytest.raises(InvalidJson):
        json_edit.members(b"{" + b",".join([*many, b'"y":{}']) + b"}")


@pytest.mark.parametrize("path", [("b",), ("a", "x"), ("a", "b", "c"), ("s", "x")])
def test_what_is_not_there_is_not_found(path: tuple[str, ...]) -> None:
    assert json_edit.find(b'{"a":{"b":[1]},"s":"{\\"x\\":1}"}', *path) is None


@pytest.mark.parametrize(
    ("drop", "wanted"),
    [
        (("a",), b'{ "b" : 2 , "c" : 3 }'),
        (("b",), b'{ "a" : 1 , "c" : 3 }'),
        (("c",), b'{ "a" : 1 , "b" : 2 }'),
        (("a", "b"), b'{ "c" : 3 }'),
        (("b", "c"), b'{ "a" : 1 }'),
        (("a", "c"), b'{ "b" : 2 }'),
        (("a", "b", "c"), b"{  }"),
    ],
)
def test_a_dropped_member_takes_one_comma_with_it(drop: tuple[str, ...], wanted: bytes) -> None:
    assert json_edit.edited(b'{ "a" : 1 , "b" : 2 , "c" : 3 }', {}, drop) == wanted


def test_a_key_can_be_renamed() -> None:
    text = b'{"x":1, "ol\\u0064" : 2}'
    assert json.loads(json_edit.apply(text, json_edit.change(text, {}, names={"old": "new"}))) == {"x": 1, "new": 2}


@pytest.mark.parametrize("text", [b"", b"[]", b'"a"', b'{"a"}', b'{"a":1', b'{"a":[1}', b'{"a":1 "b":2}', b'{"a":}'])
def test_a_text_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        json_edit.members(text)
