"""Pictures in the sandbox: what a call names by address is fetched, and what a model cannot do is refused."""

import base64
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from PIL import Image
from sandbox_client import Sandbox

RED = (200, 30, 30)


def png(color: tuple[int, ...], mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (64, 64), color).save(out, "PNG")
    return out.getvalue()


class _Shop(BaseHTTPRequestHandler):
    """A server that has one picture."""

    def do_GET(self) -> None:
        """The picture, whatever the query says."""
        found = self.path.partition("?")[0] == "/red.png"
        body = png(RED) if found else b"no"
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def shop() -> Iterator[str]:
    """Its address."""
    server = HTTPServer(("127.0.0.1", 0), _Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def edit(sandbox: Sandbox, **body: Any) -> httpx.Response:
    body = {"model": "gpt-image-1", "prompt": "a hat", "quality": "low", **body}
    headers = {"authorization": "Bearer sk-sandbox-0001"}
    return sandbox.http.post(f"{sandbox.url}/openai/v1/images/edits", json=body, headers=headers)


def test_a_picture_and_its_mask_are_fetched(sandbox: Sandbox, shop: str) -> None:
    kept = base64.b64encode(png((0, 0, 0, 255), "RGBA")).decode()
    answer = edit(
        sandbox,
        images=[{"image_url": f"{shop}/red.png?until=1&sig=x"}],
        mask={"image_url": f"data:image/png;base64,{kept}"},
    )
    assert answer.status_code == 200, answer.text
    made = Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"]))).convert("RGB")
    assert made.getpixel((500, 500)) == RED, "nothing of it may be painted anew"


@pytest.mark.parametrize("address", ["{shop}/none.png", "http://127.0.0.1:9/x.png", "file:///etc/hosts", "x", ""])
def test_what_cannot_be_had_is_refused(sandbox: Sandbox, shop: str, address: str) -> None:
    answer = edit(sandbox, images=[{"image_url": address.format(shop=shop)}])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_image_url"), answer.text


@pytest.mark.parametrize("images", [5, True, "x", {"image_url": "x"}])
def test_pictures_are_a_list(sandbox: Sandbox, images: object) -> None:
    answer = edit(sandbox, images=images)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "images"), answer.text


def test_a_model_without_edits_refuses_them(sandbox: Sandbox) -> None:
    given = {"image_url": "data:image/png;base64," + base64.b64encode(png((9, 9, 9, 0), "RGBA")).decode()}
    answer = edit(sandbox, model="dall-e-3", quality="standard", images=[given])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model"), answer.text
