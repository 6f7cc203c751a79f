"""How tests call the sandbox's Replicate over plain HTTP, and look at what it made."""

import base64
import io
from typing import Any

import av
import httpx
from PIL import Image, ImageChops, ImageSequence, ImageStat
from sandbox_client import Sandbox, eventually

KEY = "r8_sandbox0000000000000000000000000001"
ENDED = ("succeeded", "failed", "canceled", "aborted")
SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "stability-ai/sdxl:7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc"
VERSIONS = {
    "stability-ai/stable-diffusion": "ac732df83cea7fff18b8472768c88ad041fa750ff7682a21affe81863cbe77e4",
    "stability-ai/sdxl": "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
    "stability-ai/stable-diffusion-inpainting": "95b7223104132402a9ae91cc677285bc5eb997834bd2349fa486f53910fd68b3",
    "stability-ai/stable-diffusion-img2img": "15a3689ee13b0d2616e98820eca31d4c3abcd36672df6afce5cb6feb1d66087d",
    "lucataco/flux-schnell-lora": "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574",
    "lucataco/flux-dev-lora": "091495765fa5ef2725a175a57b276ec30dc9d39c22d30410f2ede68a3eab66b3",
    "andreasjansson/stable-diffusion-animation": "ca1f5e306e5721e19c473e0d094e6603f0456fe759c10715fcd6c1b79242d4a5",
    "lucataco/animate-diff": "beecf59c4aee8d81bf04f0381033dfa10dc16e845b4ae00d281e2fa377e48a9f",
    "sujaykhandekar/object-removal": "153b0087c2576ad30d8cbddb35275b387d1a6bf986bda5499948f843f6460faf",
    "cjwbw/rembg": "fb8af171cfa1616ddcf1242c093f9c46bcada5ad4cf6f2fbe8b81b330ec5c003",
}


class Replicate:
    """The vendor, called with one token."""

    def __init__(self, sandbox: Sandbox, key: str = KEY, prefix: str = "") -> None:
        self.sandbox = sandbox
        self.headers = {"authorization": f"Bearer {key}"}
        self.base = f"{sandbox.url}{prefix}/replicate/v1"

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any call; `path` may be a whole address."""
        url = path if path.startswith("http") else self.base + path
        headers = {**self.headers, **more.pop("headers", {})}
        return self.sandbox.http.request(method, url, headers=headers, **more)

    def create(
        self, model: str, given: dict[str, Any], *, speed: int = 200, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """Begin a prediction of an official model by name, of others by version (`owner/name:id` too)."""
        given = {"sandbox": f"[[speed:{speed}]]", **given}
        if model in VERSIONS or ":" in model:
            body["version"] = VERSIONS.get(model, model)
            return self.call("POST", "/predictions", json={"input": given, **body}, headers=headers or {})
        return self.call("POST", f"/models/{model}/predictions", json={"input": given, **body}, headers=headers or {})

    def begun(self, model: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A prediction that was accepted."""
        answer = self.create(model, given, **more)
        assert answer.status_code in (201, 202), answer.text
        told: dict[str, Any] = answer.json()
        return told

    def get(self, id: str) -> dict[str, Any]:
        """A prediction as it stands now."""
        answer = self.call("GET", f"/predictions/{id}")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def ended(self, id: str) -> dict[str, Any]:
        """A prediction once it has ended."""

        def found() -> dict[str, Any] | None:
            told = self.get(id)
            return told if told["status"] in ENDED else None

        told: dict[str, Any] = eventually(found, 60)
        return told

    def done(self, model: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A prediction from its beginning to its end."""
        return self.ended(self.begun(model, given, **more)["id"])

    def made(self, model: str, given: dict[str, Any], **more: Any) -> list[tuple[str, bytes]]:
        """The files of an output: content type and bytes."""
        told = self.done(model, given, **more)
        assert told["status"] == "succeeded", told
        output = told["output"]
        answers = [self.sandbox.http.get(url) for url in (output if isinstance(output, list) else [output])]
        assert all(answer.status_code == 200 for answer in answers)
        return [(answer.headers["content-type"], answer.content) for answer in answers]

    def picture(self, model: str, given: dict[str, Any]) -> Image.Image:
        """The only picture of an output."""
        ((_, data),) = self.made(model, given)
        return opened(data)


def opened(data: bytes) -> Image.Image:
    """A picture, read to its end."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def data_url(image: Image.Image) -> str:
    """A picture as a data URL."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def photo(width: int = 300, height: int = 200) -> Image.Image:
    """A picture that is alike nowhere."""
    left = Image.linear_gradient("L").rotate(90).resize((width, height))
    top = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (left, top, Image.radial_gradient("L").resize((width, height))))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, 0 to 255 each channel, summed."""
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


def film_of(data: bytes) -> tuple[tuple[int, int], float, list[Image.Image]]:
    """Size, seconds and frames of an mp4."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        size = (stream.width, stream.height)
        frames = [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]
        return size, (container.duration or 0) / 1_000_000, frames


def frames_of(data: bytes) -> list[Image.Image]:
    """The frames of a gif."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "GIF"
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
