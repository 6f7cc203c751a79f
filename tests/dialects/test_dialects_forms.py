"""Forms as dialects read, change and write them. Written ones are read by the standard library."""

import email
import email.policy
import json
import re
from io import BytesIO
from typing import BinaryIO
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import BadRequest
from unigate.dialects import form_read, multipart
from unigate.dialects.openai_body import Edits
from unigate.spec.facts import Facts
from unigate.spec.form import FilePart, Form, Part


class Held:
    """A file's bytes."""

    at_hand = True

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.closed = False

    def read(self, at: int, size: int) -> bytes:
        return self.data[at : at + size]

    def open(self) -> BinaryIO:
        return BytesIO(self.data)

    def close(self) -> None:
        self.closed = True


def field(name: str, value: bytes, media_type: str = "") -> Part:
    return Part(name=name, value=value, media_type=media_type)


def file(name: str, data: bytes, filename: str = "a.mp3", media_type: str = "audio/mpeg") -> FilePart:
    return FilePart(name=name, filename=filename, media_type=media_type, size=len(data), source=Held(data))


FORM = Form((field("model", b"whisper-1"), file("file", b"sound"), field("tag[]", b"1"), field("tag[]", b"2")))


def written(form: Form) -> bytes:
    """A form as it goes on the wire."""
    return b"".join(
        each.source.read(0, each.size) if isinstance(each, FilePart) else each
        for each in multipart.segments(form, b"bbb")
    )


def test_a_form_on_the_wire() -> None:
    assert multipart.content_type(b"bbb") == b"multipart/form-data; boundary=bbb"
    assert written(Form((field("model", b"m"), file("file", b"sound", 'a"\r\n.mp3'), file("f", b"", "x", "")))) == (
        b'--bbb\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
        b'--bbb\r\nContent-Disposition: form-data; name="file"; filename="a%22%0D%0A.mp3"\r\n'
        b"Content-Type: audio/mpeg\r\n\r\nsound\r\n"
        b'--bbb\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--bbb--\r\n"
    )
    assert written(Form(())) == b"--bbb--\r\n"
    assert b"Content-Type: application/json\r\n\r\n{}" in written(Form((field("a", b"{}", "application/json"),)))


_names = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\"), min_size=1, max_size=20)


@given(st.lists(st.tuples(_names, st.one_of(st.none(), _names), st.binary(max_size=50)), min_size=1, max_size=5))
def test_any_form_is_read_as_it_was(told: list[tuple[str, str | None, bytes]]) -> None:
    form = Form(
        tuple(
            field(name, data) if filename is None else file(name, data, filename, "audio/mpeg")
            for name, filename, data in told
            if b"--bbb" not in data
        )
    )
    body = written(form)
    assert body.count(b"--bbb") == len(form.parts) + 1
    message = email.message_from_bytes(b"content-type: multipart/form-data; boundary=bbb\r\n\r\n" + body)
    parts = message.get_payload()
    assert isinstance(parts, list) or not form.parts
    for part, read in zip(form.parts, parts, strict=True):
        assert set(read.keys()) == {"Content-Disposition"} | ({"Content-Type"} if isinstance(part, FilePart) else set())
        assert read.get_payload(decode=True) == (
            part.value if isinstance(part, Part) else part.source.read(0, part.size)
        )
        head = read.as_bytes().partition(b"\n\n")[0]
        said = dict(re.findall(rb'; (\w+)="([^"]*)"', head.replace(b"\n ", b" ")))
        assert unquote(said[b"name"].decode()) == unquote(part.name)
        if isinstance(part, FilePart):
            assert unquote(said[b"filename"].decode()) == unquote(part.filename)


def test_fields_as_they_are_read() -> None:
    assert form_read.text(FORM, "model") == "whisper-1"
    assert form_read.text(FORM, "nothing") is None
    assert [
        form_read.flag(Form((field("stream", value),)), "stream") for value in (b"true", b"True", b"1", b"no", b"")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [each.name for each in form_read.files(FORM, "file", "file[]")] == ["file"]
    for form, name in (
        (FORM, "tag[]"),
        (FORM, "tag"),
        (Form((field("model", b"1"), field("model[]", b"2"))), "model"),
        (FORM, "file"),
        (Form((field("model", b"\xff"),)), "model"),
    ):
        with pytest.raises(BadRequest) as refused:
            form_read.text(form, name)
        assert refused.value.param == name
    with pytest.raises(BadRequest) as refused:
        form_read.files(FORM, "model")
    assert refused.value.param == "model"


def test_fields_with_places_in_their_names() -> None:
    form = Form((field("expires_after[anchor]", b"created_at"), field("expires_after[seconds]", b"3600")))
    assert form_read.text(form, "expires_after[anchor]") == "created_at"
    assert form_read.text(form, "expires_after[seconds]") == "3600"
    assert form_read.text(form, "expires_after[days]") is None
    with pytest.raises(BadRequest):
        form_read.text(form, "expires_after")
    with pytest.raises(BadRequest):
        form_read.text(Form((*form.parts, form.parts[0])), "expires_after[anchor]")


def test_a_form_is_changed_and_shares_its_files() -> None:
    facts = Facts(model="whisper-1")
    edited = form_read.edit(FORM, facts, Edits(model="large", drop=("tag[]",)))
    assert edited.parts == (field("model", b"large"), FORM.parts[1])
    assert form_read.edit(FORM, facts, Edits()) is FORM
    assert FORM.with_value("tag[]", b"3").parts == (*FORM.parts[:2], field("tag[]", b"3"))
    assert FORM.with_value("new", b"1").parts == (*FORM.parts, field("new", b"1"))
    assert FORM.with_value("file", b"1").parts[1] == field("file", b"1")
    source = Held(b"")
    form = Form((FilePart(name="f", filename="", media_type="", size=0, source=source),))
    form.close()
    assert source.closed


def test_a_form_as_it_is_kept() -> None:
    assert json.loads(multipart.described(Form((*FORM.parts, file("file", b"more"), field("n", b"\xff"))))) == {
        "model": "whisper-1",
        "file": [
            {"filename": "a.mp3", "content_type": "audio/mpeg", "bytes": 5},
            {"filename": "a.mp3", "content_type": "audio/mpeg", "bytes": 4},
        ],
        "tag[]": ["1", "2"],
        "n": "\ufffd",
    }
