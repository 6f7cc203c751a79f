"""All models of Replicate that the gateway knows, each called once by its name: what comes is opened, measured and charged."""

import base64
import io
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any
from xml.etree import ElementTree as ET

import av
import httpx
import pytest

from support.replicate import CHANNELS, FAST, call, fetched, opened, photo
from support.stage import Stage, set_stage
from support.world import Process
from unigate import data
from unigate.dialects.replicate_models import MODELS

PICTURE = "data:image/png;base64," + base64.b64encode(photo()).decode()
#: Beside what each needs: small, so that it is quick.
GIVEN: dict[str, dict[str, Any]] = {
    "stability-ai/stable-diffusion": {"width": 128, "height": 64, "num_outputs": 2},
    "stability-ai/sdxl": {"prompt": "a fox", "width": 128, "height": 128},
    "stability-ai/stable-diffusion-inpainting": {"image": PICTURE, "mask": PICTURE, "width": 128, "height": 64},
    "stability-ai/stable-diffusion-img2img": {"image": PICTURE, "num_outputs": 3},
    "lucataco/flux-schnell-lora": {"prompt": "a fox"},
    "lucataco/flux-dev-lora": {"prompt": "a fox", "aspect_ratio": "9:16"},
    "andreasjansson/stable-diffusion-animation": {
        "prompt_start": "a seed",
        "prompt_end": "a tree",
        "width": 128,
        "height": 128,
        "num_animation_frames": 2,
        "output_format": "mp4",
    },
    "lucataco/animate-diff": {"prompt": "a fox"},
    "sujaykhandekar/object-removal": {"image_path": PICTURE, "objects_to_remove": "car,cat"},
    "cjwbw/rembg": {"image": PICTURE},
    "black-forest-labs/flux-1.1-pro": {"prompt": "a fox", "aspect_ratio": "custom", "width": 320, "height": 256},
    "black-forest-labs/flux-1.1-pro-ultra": {"prompt": "a fox"},
    "black-forest-labs/flux-dev": {"prompt": "a fox", "num_outputs": 3},
    "black-forest-labs/flux-pro": {"prompt": "a fox", "output_format": "jpg"},
    "black-forest-labs/flux-schnell": {"prompt": "a fox", "num_outputs": 2, "output_format": "png"},
    "minimax/video-01-live": {"prompt": "a fox", "first_frame_image": PICTURE},
    "minimax/video-01": {"prompt": "a fox"},
    "recraft-ai/recraft-v3": {"prompt": "a fox", "size": "1365x1024"},
    "recraft-ai/recraft-v3-svg": {"prompt": "a fox"},
    "ideogram-ai/ideogram-v2-turbo": {"prompt": "a fox", "aspect_ratio": "3:1"},
}
#: Number of pictures, their format and size.
PICTURES: dict[str, tuple[int, str, tuple[int, int]]] = {
    "stability-ai/stable-diffusion": (2, "PNG", (128, 64)),
    "stability-ai/sdxl": (1, "PNG", (128, 128)),
    "stability-ai/stable-diffusion-inpainting": (1, "PNG", (128, 64)),
    "stability-ai/stable-diffusion-img2img": (3, "PNG", (120, 80)),
    "lucataco/flux-schnell-lora": (1, "WEBP", (512, 512)),
    "lucataco/flux-dev-lora": (1, "WEBP", (384, 672)),
    "sujaykhandekar/object-removal": (1, "PNG", (120, 80)),
    "cjwbw/rembg": (1, "PNG", (120, 80)),
    "black-forest-labs/flux-1.1-pro": (1, "WEBP", (320, 256)),
    "black-forest-labs/flux-1.1-pro-ultra": (1, "JPEG", (2048, 2048)),
    "black-forest-labs/flux-dev": (3, "WEBP", (512, 512)),
    "black-forest-labs/flux-pro": (1, "JPEG", (512, 512)),
    "black-forest-labs/flux-schnell": (2, "PNG", (512, 512)),
    "recraft-ai/recraft-v3": (1, "WEBP", (1365, 1024)),
    "ideogram-ai/ideogram-v2-turbo": (1, "PNG", (1536, 512)),
}
RATES = {price.model: price.rates for price in data.prices()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Replicate, at the prices that ship with it."""
    built = set_stage(tmp_path_factory.mktemp("models"), vendors, CHANNELS)
    yield built
    built.sound()
    built.stop()


def run(stage: Stage, model: str) -> tuple[dict[str, Any], Decimal]:
    """A prediction that has succeeded, and what it cost."""
    body = {"input": {**GIVEN[model], **FAST}}
    made = call(stage, "POST", f"/models/{model}/predictions", json=body, headers={"prefer": "wait"})
    assert made.status_code == 201, made.text
    assert made.headers["preference-applied"] == "wait=60"
    shown = call(stage, "GET", f"/predictions/{made.json()['id']}")
    prediction: dict[str, Any] = shown.json()
    assert prediction["status"] == "succeeded", prediction
    assert prediction["model"] == model
    assert prediction["version"] == (MODELS[model].version or prediction["version"])
    return prediction, Decimal(shown.headers["x-unigate-cost"])


def outputs(prediction: dict[str, Any]) -> list[bytes]:
    found = prediction["output"]
    assert isinstance(found, list) == MODELS[prediction["model"]].lists
    return [fetched(url) for url in (found if isinstance(found, list) else [found])]


def charged(model: str, prediction: dict[str, Any], count: int) -> Decimal:
    """What it must cost, by the shipped price, to the nano-dollar."""
    known = MODELS[model]
    rate = RATES[model][known.unit]
    if known.unit == "milliseconds":
        count = int((Decimal(str(prediction["metrics"]["predict_time"])) * 1000).to_integral_value(ROUND_CEILING))
    return (Decimal(rate.amount * count) / rate.per).to_integral_value(ROUND_CEILING) / 10**9


def test_every_model_is_tried() -> None:
    assert set(GIVEN) == set(MODELS) == set(PICTURES) | set(FILMS) | {"recraft-ai/recraft-v3-svg"}


@pytest.mark.endpoint("I14")
@pytest.mark.parametrize("model", PICTURES)
def test_pictures(stage: Stage, model: str) -> None:
    prediction, cost = run(stage, model)
    count, kind, size = PICTURES[model]
    pictures = [opened(content) for content in outputs(prediction)]
    assert [(one.format, one.size) for one in pictures] == [(kind, size)] * count
    assert cost == charged(model, prediction, count) > 0
    if model == "cjwbw/rembg":
        assert pictures[0].mode == "RGBA"
        assert pictures[0].getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_a_drawing(stage: Stage) -> None:
    prediction, cost = run(stage, "recraft-ai/recraft-v3-svg")
    (content,) = outputs(prediction)
    assert ET.fromstring(content).tag.endswith("svg")
    assert cost == Decimal("0.08")


FILMS = (
    "andreasjansson/stable-diffusion-animation",
    "lucataco/animate-diff",
    "minimax/video-01-live",
    "minimax/video-01",
)


@pytest.mark.endpoint("V12")
@pytest.mark.parametrize("model", FILMS)
def test_films(stage: Stage, model: str) -> None:
    prediction, cost = run(stage, model)
    with av.open(io.BytesIO(outputs(prediction)[-1]), "r") as film:
        frames = [bytes(frame.reformat(format="rgb24").planes[0]) for frame in film.decode(video=0)]

    assert len(set(frames)) > 5, "it moves"
    assert cost == charged(model, prediction, 1) > 0


@pytest.mark.endpoint("O8")
def test_pictures_in_openais_form(stage: Stage) -> None:
    body = {
        "model": "black-forest-labs/flux-schnell",
        "prompt": "a fox",
        "n": 2,
        "size": "1920x1080",
        "user": "u",
        **FAST,
    }
    head = {"authorization": f"Bearer {stage.key}"}
    reply = httpx.post(f"{stage.url}/v1/images/generations", json=body, headers=head, timeout=60)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-ignored"] == "user"
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.006")
    pictures = [opened(fetched(one["url"])) for one in reply.json()["data"]]
    assert len(pictures) == 2
    assert all(abs(one.width / one.height - 16 / 9) < 0.05 for one in pictures)
    failed = httpx.post(
        f"{stage.url}/v1/images/generations",
        json={**body, "prompt": "x [[nsfw]]"},
        headers=head,
        timeout=60,
    )
    assert failed.status_code == 400
    assert failed.headers["x-should-retry"] == "false"
    assert "NSFW" in failed.json()["error"]["message"]
    assert failed.json()["error"]["code"] == "moderation_blocked"
    assert Decimal(failed.headers["x-unigate-cost"]) == 0
    chat = {"model": body["model"], "messages": [{"role": "user", "content": "x [[nsfw]]"}]}
    told = httpx.post(f"{stage.url}/v1/chat/completions", json=chat, headers=head, timeout=60)
    assert (told.status_code, told.json()["error"]["code"]) == (400, "content_policy_violation")
    assert "NSFW" in told.json()["error"]["message"]
