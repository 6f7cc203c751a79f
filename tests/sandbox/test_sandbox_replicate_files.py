"""Files of the sandbox's Replicate: uploads, and what inputs name."""

import base64
import hashlib
import json
import time
from typing import Any

import httpx
import pytest
from PIL import Image
from replicate_calls import Replicate, data_url, difference, opened, photo
from sandbox_client import Sandbox

from unigate.sandbox.forms.replicate_files import signature
from unigate.sandbox.serving import multipart

PNG = base64.b64decode(data_url(photo()).partition(",")[2])
REMBG = "cjwbw/rembg"


@pytest.fixture
def vendor(sandbox: Sandbox) -> Replicate:
    return Replicate(sandbox)


def upload(vendor: Replicate, data: bytes = PNG, name: str = "fox.png", **form: str) -> httpx.Response:
    return vendor.call("POST", "/files", files={"content": (name, data, "image/png")}, data=form)


def test_a_file_from_its_upload_to_its_end(sandbox: Sandbox) -> None:
    vendor = Replicate(sandbox, "r8_files_00000000000000000000000000000001")
    answer = upload(vendor, metadata=json.dumps({"a": 1}))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["name"], told["content_type"], told["size"]) == ("fox.png", "image/png", len(PNG))
    assert told["checksums"] == {"sha256": hashlib.sha256(PNG).hexdigest()}
    assert told["metadata"] == {"a": 1}
    assert told["expires_at"] > told["created_at"]
    assert told["urls"] == {"get": f"{vendor.base}/files/{told['id']}"}
    assert vendor.call("GET", f"/files/{told['id']}").json() == told
    second = upload(vendor, b"x", "b.bin", filename="c.txt", type="text/plain").json()
    assert (second["name"], second["content_type"], second["size"]) == ("c.txt", "text/plain", 1)
    listed = vendor.call("GET", "/files").json()
    assert listed == {"previous": None, "next": None, "results": [second, told]}
    other = Replicate(sandbox, "r8_files_00000000000000000000000000000002")
    assert other.call("GET", f"/files/{told['id']}").status_code == 404
    assert other.call("DELETE", f"/files/{told['id']}").status_code == 404
    gone = vendor.call("DELETE", f"/files/{told['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert vendor.call("GET", f"/files/{told['id']}").status_code == 404
    assert vendor.call("DELETE", f"/files/{told['id']}").status_code == 404
    assert vendor.call("GET", "/files").json()["results"] == [second]


def test_whoever_has_a_signed_address_may_download(sandbox: Sandbox, vendor: Replicate) -> None:
    id = upload(vendor).json()["id"]
    key = vendor.headers["authorization"].partition(" ")[2]
    owner = vendor.call("GET", "/account").json()["username"]
    later, earlier = str(int(time.time()) + 60), str(int(time.time()) - 60)

    def get(expiry: str, signed: str) -> httpx.Response:
        query = {"owner": owner, "expiry": expiry, "signature": signed}
        return sandbox.http.get(f"{vendor.base}/files/{id}/download", params=query)

    answer = get(later, signature(key, id, later))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PNG, "image/png")
    assert get(later, signature(key, id, earlier)).status_code == 403
    assert get(earlier, signature(key, id, earlier)).status_code == 404
    assert sandbox.http.get(f"{vendor.base}/files/{id}/download").status_code == 403


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "multipart/form-data; boundary=x", 400),
        (b"{}", "application/json", 400),
        (b"--x\r\n\r\nfox\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
        ),
    ],
)
def test_forms_that_are_none(vendor: Replicate, body: bytes, media_type: str, status: int) -> None:
    assert vendor.call("POST", "/files", content=body, headers={"content-type": media_type}).status_code == status


def test_names_and_metadata_that_are_none(vendor: Replicate) -> None:
    assert upload(vendor, filename="x" * 256).status_code == 422
    assert upload(vendor, metadata="{").status_code == 422
    assert upload(vendor, metadata="[]").status_code == 422


@pytest.mark.parametrize("data", [b"", b"\r\n", b"--x", b"\r\n--", b"a\nb\rc\r\n\r\n\0\xff"])
def test_forms_are_read_to_the_byte(data: bytes) -> None:
    request = httpx.Request("POST", "http://h", files={"content": ("ü.bin", data, "x/y")}, data={"a": "b"})
    parts = multipart.read(request.read(), request.headers["content-type"])
    assert [(part.name, part.data) for part in parts] == [("a", b"b"), ("content", data)]
    assert (parts[1].filename, parts[1].media_type) == ("ü.bin", "x/y")
    assert (parts[0].filename, parts[0].media_type) == ("", "")


# What inputs name.


def cut_out(vendor: Replicate, address: str) -> dict[str, Any]:
    return vendor.done(REMBG, {"image": address})


def inner(vendor: Replicate, told: dict[str, Any]) -> Image.Image:
    """What rembg left of a picture of 300 x 200."""
    assert told["status"] == "succeeded", told
    return opened(vendor.sandbox.http.get(told["output"]).content).crop((25, 25, 275, 175))


def test_inputs_may_be_uploads_data_and_addresses(sandbox: Sandbox, vendor: Replicate) -> None:
    uploaded = upload(vendor).json()["urls"]["get"]
    made = vendor.done("stability-ai/stable-diffusion", {"width": 64, "height": 64})["output"][0]
    expected = photo().crop((25, 25, 275, 175))
    assert difference(inner(vendor, cut_out(vendor, uploaded)), expected) == 0
    assert difference(inner(vendor, cut_out(vendor, data_url(photo()))), expected) == 0
    assert opened(sandbox.http.get(cut_out(vendor, made)["output"]).content).size == (64, 64)


def test_long_data_is_told_by_an_address(sandbox: Sandbox, vendor: Replicate) -> None:
    noise = Image.effect_noise((700, 700), 80)
    address = data_url(noise)
    assert len(address) > 256 * 1024
    told = cut_out(vendor, address)
    assert told["status"] == "succeeded"
    assert sandbox.http.get(told["input"]["image"]).content == base64.b64decode(address.partition(",")[2])
    assert told["input"]["sandbox"] == "[[speed:200]]"


def test_pictures_of_documents_are_drawn_on_the_spot(sandbox: Sandbox, vendor: Replicate) -> None:
    for address in ("https://example.com/a-cat.png", "https://replicate.delivery/pbxt/abc/dog.jpg"):
        told = cut_out(vendor, address)
        assert told["status"] == "succeeded"
        assert opened(sandbox.http.get(told["output"]).content).size == (512, 512)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("data:image/png;base64," + base64.b64encode(b"no picture").decode(), "cannot identify image file"),
        ("data:text/plain,hello", "cannot identify image file"),
        ("data:image/png;base64,!!!", "Failed to decode"),
        ("http://127.0.0.1:1/fox.png", "Failed to download"),
        ("https://other.host/replicate/v1/files/unknown", "404"),
    ],
)
def test_inputs_that_are_no_picture_fail(vendor: Replicate, address: str, words: str) -> None:
    told = cut_out(vendor, address)
    assert (told["status"], told["output"]) == ("failed", None)
    assert words in told["error"]
    assert told["error"] in told["logs"]


def test_addresses_that_answer_something_else_fail(sandbox: Sandbox, vendor: Replicate) -> None:
    assert "404" in cut_out(vendor, f"{sandbox.url}/sandbox/files/unknown.png")["error"]
    assert "identify" in cut_out(vendor, f"{sandbox.url}/sandbox")["error"]


def test_an_upload_of_somebody_else_is_not_found(sandbox: Sandbox, vendor: Replicate) -> None:
    address = upload(Replicate(sandbox, "r8_files_00000000000000000000000000000003")).json()["urls"]["get"]
    assert "404" in cut_out(vendor, address)["error"]
