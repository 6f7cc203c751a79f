"""Forms of offers: cut as every reader would, and refused where two readers could see different things."""

import pytest

from unigate.base.errors import BadRequest
from unigate.relay.offer_form import boundary_of, split

PLAIN = b'Content-Disposition: form-data; name="session"'


def form(head: bytes = PLAIN, value: bytes = b"{}") -> bytes:
    sdp = b'--b\r\nContent-Disposition: form-data; name="sdp"; filename="blob"\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n'
    return sdp + b"--b\r\n" + head + b"\r\n\r\n" + value + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "head",
    [
        PLAIN,
        b"content-disposition: Form-Data; NAME=session",
        b"Content-Type: application/json\r\nContent-Disposition: form-data; name=\"session\"; filename*=utf-8''a",
    ],
)
def test_what_all_read_alike_is_cut_to_the_byte(head: bytes) -> None:
    body = form(head)
    delimiter, parts = split(body, b"b")
    assert [name for name, _ in parts] == ["", "sdp", "session", ""]
    assert delimiter.join(part for _, part in parts) == b"\r\n" + body


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Disposition: form-data; name*=utf-8''session",
        b"Content-Disposition: form-data; name=other; name*=utf-8''session",
        b"Content-Disposition: form-data; name*0=ses; name*1=sion",
        b'Content-Disposition: form-data; name="other"; name="session"',
        b'Content-Disposition: form-data; name="ses\\sion"',
        b'Content-Disposition: form-data; name="%73ession"',
        b'Content-Disposition: attachment; name="session"',
        b"Content-Type: application/json",
        PLAIN + b"\r\nContent-Disposition: form-data; name=other",
        PLAIN + b"\r\nContent-Transfer-Encoding: base64",
        b"Content-Disposition: form-data;\r\n name=session",
        b"Content-Disposition : form-data; name=session",
        b'X: y\nContent-Disposition: form-data; name="session"',
    ],
)
def test_a_part_whose_name_readers_see_differently_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        split(form(head), b"b")


@pytest.mark.parametrize(
    "body", [b"", b"--b--", b"before" + form(), form() + b"after", form()[:-6], b"--b\r\n" + PLAIN + b"\r\n--b--"]
)
def test_a_form_without_its_ends_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        split(body, b"c" if body == b"--b--" else b"b")


def test_a_form_of_many_parts_or_long_headers_is_refused() -> None:
    one = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert len(split(one * 100 + b"--b--", b"b")[1]) == 102
    for body in (one * 101 + b"--b--", form(PLAIN + b"\r\nx: " + b"y" * 20_000)):
        with pytest.raises(BadRequest):
            split(body, b"b")


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (b"application/sdp", None),
        (b"", None),
        (b"multipart/form-data; boundary=b", b"b"),
        (b'Multipart/Form-Data; charset=utf-8; boundary="----WebKitFormBoundary7MA4"', b"----WebKitFormBoundary7MA4"),
    ],
)
def test_the_boundary(kind: bytes, boundary: bytes | None) -> None:
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        b"multipart/form-data",
        b"multipart/mixed; boundary=b",
        b"multipart/form-data; boundary=a; boundary=b",
        b"multipart/form-data; boundary*=utf-8''b",
        b'multipart/form-data; boundary="a b"',
        b"multipart/form-data; boundary=" + b"b" * 71,
    ],
)
def test_a_boundary_that_readers_see_differently_is_refused(kind: bytes) -> None:
    with pytest.raises(BadRequest):
        boundary_of(kind)
