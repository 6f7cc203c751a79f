"""Edits and variations of pictures: what is given, what may be changed, what it costs, and what is refused."""

import base64
import io
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from openai import OpenAI
from PIL import ImageChops

from support.image_stage import CONFIG, cost, holed, opened, picture, post
from support.leftovers import nothing_left, stored
from support.stage import Stage, mark, set_stage
from support.world import Process
from unigate.base.clock import now_ms


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to OpenAI."""
    built = set_stage(tmp_path_factory.mktemp("edits"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    nothing_left(built)
    assert built.stop() == 0


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def edit(stage: Stage, files: object, **sent: object) -> httpx.Response:
    return post(stage, "/images/edits", data={"model": "gpt-image-1", "prompt": "a fox", **sent}, files=files)


@pytest.mark.endpoint("O7")
@pytest.mark.parametrize("model", ["gpt-image-1", "dall-e-2"])
def test_only_what_the_mask_lets_is_changed(client: OpenAI, model: str) -> None:
    hole = (128, 128, 384, 320)
    size = (512, 512) if model == "dall-e-2" else (1024, 1024)
    if model == "gpt-image-1":
        hole = (256, 256, 768, 640)
    given = picture(size)
    raw = client.images.with_raw_response.edit(
        model=model, image=given, mask=holed(size, hole), prompt="a fox", size=f"{size[0]}x{size[1]}", n=2
    )
    told = raw.parse()
    assert told.data is not None
    for one in told.data:
        data = base64.b64decode(one.b64_json) if one.b64_json else httpx.get(one.url or "").content
        image = opened(data)
        assert image.size == size
        changed = ImageChops.difference(image.convert("RGB"), opened(given).convert("RGB"))
        assert changed.getbbox() == hole
    if model == "dall-e-2":
        assert Decimal(raw.headers["x-unigate-cost"]) == Decimal("0.036")
    else:
        assert told.usage is not None
        # The default quality; a square picture is one tile.
        assert told.usage.output_tokens == 2 * 1056 and told.usage.input_tokens_details.image_tokens == 194
        text = told.usage.input_tokens_details.text_tokens
        charged = text * Decimal("0.000005") + 194 * Decimal("0.00001") + 2112 * Decimal("0.00004")
        assert Decimal(raw.headers["x-unigate-cost"]) == charged


@pytest.mark.endpoint("O7")
def test_several_pictures_by_the_sdk(client: OpenAI, stage: Stage) -> None:
    word = mark()
    several = [picture((300, 200), (10 * at, 100, 200), form) for at, form in enumerate(("PNG", "JPEG", "WEBP"))]
    told = client.images.edit(
        model="gpt-image-1", image=several, prompt=word, quality="low", output_format="webp", input_fidelity="high"
    )
    assert told.data is not None and told.usage is not None
    image = opened(base64.b64decode(told.data[0].b64_json or ""))
    assert (image.format, image.size, told.size) == ("WEBP", (1536, 1024), "1536x1024")
    # Two tiles each, and what keeping to the picture costs.
    assert told.usage.input_tokens_details.image_tokens == 3 * (65 + 2 * 129 + 6240)
    assert len(stage.received(word)) == 1


@pytest.mark.endpoint("O7")
@pytest.mark.parametrize("names", [("image",), ("image[]", "image[]"), ("image[0]", "image[1]")])
def test_parts_may_be_named_as_callers_do(stage: Stage, names: tuple[str, ...]) -> None:
    files = [(name, ("a.png", picture((64, 64)), "image/png")) for name in names]
    reply = edit(stage, files, quality="low")
    assert reply.status_code == 200, reply.text
    assert reply.json()["usage"]["input_tokens_details"]["image_tokens"] == 194 * len(names)
    row = stage.row(reply.headers["x-request-id"])
    assert row["operation"] == "openai.images.edits"
    assert row["units"]["image_input"] == 194 * len(names)


@pytest.mark.endpoint("O7")
def test_the_form_of_json(stage: Stage) -> None:
    given = "data:image/png;base64," + base64.b64encode(picture((256, 256))).decode()
    sent = {
        "model": "gpt-image-1",
        "prompt": "a fox",
        "quality": "low",
        "images": [{"image_url": given}],
        "mask": {"image_url": "data:image/png;base64," + base64.b64encode(holed((256, 256), (0, 0, 64, 64))).decode()},
    }
    reply = post(stage, "/images/edits", json=sent)
    assert reply.status_code == 200, reply.text
    assert opened(base64.b64decode(reply.json()["data"][0]["b64_json"])).size == (1024, 1024)
    assert cost(reply) > 0


@pytest.mark.endpoint("O7")
def test_no_model_fields_that_are_refused_and_links(stage: Stage) -> None:
    files = [("image[]", ("a.png", picture((64, 64)), "image/png"))] * 2
    sent = {"prompt": "a fox", "response_format": "url", "style": "vivid", "quality": "low"}
    reply = post(stage, "/images/edits", data=sent, files=files)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-ignored"] == "response_format, style"
    assert stage.row(reply.headers["x-request-id"])["model"] == "gpt-image-1"
    one = reply.json()["data"][0]
    assert "b64_json" not in one
    assert opened(httpx.get(one["url"]).content).size == (1024, 1024)


_PNG = picture((64, 64))


@pytest.mark.endpoint("O7")
@pytest.mark.parametrize(
    ("files", "sent", "param", "says"),
    [
        ([], {"n": (None, "1")}, "image", "Missing"),
        ([("image", b"")], {}, "image", "mimetype"),
        ([("image", b"words")], {}, "image", "mimetype"),
        ([("image", _PNG[:60] + b"\x00" * 40)], {}, "image", "Invalid image file"),
        ([("image", picture((64, 64), form="GIF"))], {}, "image", "image/gif"),
        ([("image[]", _PNG)] * 17, {}, "image", "too long"),
        ([("image", _PNG), ("mask", holed((32, 32), (0, 0, 8, 8)))], {}, "mask", "size does not match"),
        ([("image", _PNG), ("mask", _PNG)], {}, "mask", "alpha"),
        ([("image", _PNG), ("mask", picture((64, 64), form="JPEG"))], {}, "mask", "PNG"),
        ([("image", picture((64, 32)))], {"model": "dall-e-2"}, "image", "square"),
        ([("image", picture((64, 64), form="JPEG"))], {"model": "dall-e-2"}, "image", "PNG"),
        ([("image", _PNG + b"\x00" * (4 << 20))], {"model": "dall-e-2"}, "image", "4 MB"),
        ([("image", _PNG)], {"model": "dall-e-2"}, "image", "RGBA"),
        ([("image", _PNG)], {"size": "10x10"}, "size", "Invalid value"),
        ([("image", _PNG)], {"n": "eleven"}, "n", "integer"),
        ([("image", _PNG + bytes(50 << 20))], {}, "image", "50 MB"),
        ([("image", _PNG), ("mask", holed((64, 64), (0, 0, 8, 8)) + bytes(4 << 20))], {}, "mask", "4 MB"),
        ([("image", _PNG), ("mask", b"words")], {}, "mask", "PNG"),
        ([("image", _PNG)], {"model": "whisper-1"}, "model", ""),
    ],
)
def test_files_that_will_not_do_cost_nothing(
    stage: Stage, files: list[tuple[str, bytes]], sent: dict[str, object], param: str, says: str
) -> None:
    began, kept = now_ms(), stored(stage)
    parts = [(name, ("file.png", data, "image/png")) for name, data in files]
    if not parts:
        parts = [("user", (None, b"me", ""))]  # type: ignore[list-item]
        sent = {}
    reply = edit(stage, parts, **sent)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["param"] == param and says in error["message"], error
    assert reply.headers["x-request-id"]
    assert stage.charged(began) == 0
    nothing_left(stage, kept)


@pytest.mark.endpoint("O9")
def test_variations_differ_from_their_picture_and_resemble_it(client: OpenAI) -> None:
    given = opened(picture((256, 256), (220, 40, 30)))
    given.paste((20, 60, 200), (0, 0, 256, 64))
    out = io.BytesIO()
    given.save(out, "PNG")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        raw = client.images.with_raw_response.create_variation(
            image=out.getvalue(), n=3, size="256x256", response_format="b64_json"
        )
    told = raw.parse()
    assert told.data is not None and len(told.data) == 3
    made = [opened(base64.b64decode(one.b64_json or "")) for one in told.data]
    assert len({image.tobytes() for image in made}) == 3
    for image in made:
        assert image.size == (256, 256)
        mean = [sum(band.histogram()[value] * value for value in range(256)) // 65536 for band in image.split()[:3]]
        assert mean[0] > mean[1] and mean[0] > mean[2]  # red as the given one
        assert ImageChops.difference(image.convert("RGB"), given).getbbox() is not None
    assert Decimal(raw.headers["x-unigate-cost"]) == Decimal("0.048")


@pytest.mark.endpoint("O9")
def test_variations_as_addresses_without_a_model(stage: Stage) -> None:
    reply = post(stage, "/images/variations", files={"image": ("a.png", _PNG, "image/png")})
    assert reply.status_code == 200, reply.text
    assert opened(httpx.get(reply.json()["data"][0]["url"]).content).size == (1024, 1024)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["model"], row["units"], row["cost"]) == ("dall-e-2", {"images": 1}, 20_000_000)


@pytest.mark.endpoint("O9")
@pytest.mark.parametrize(
    ("data", "sent", "param"),
    [
        (None, {}, "image"),
        (picture((64, 32)), {}, "image"),
        (b"words", {}, "image"),
        (_PNG, {"model": "gpt-image-1"}, "model"),
        (_PNG, {"n": "0"}, "n"),
        (_PNG, {"size": "100x100"}, "size"),
        (_PNG, {"prompt": "a fox"}, "prompt"),
        (b"", {}, "image"),
        (_PNG[:60] + b"\x00" * 40, {}, "image"),
        (_PNG + bytes(4 << 20), {}, "image"),
        (picture((64, 64), form="JPEG"), {}, "image"),
    ],
)
def test_variations_that_cannot_be(stage: Stage, data: bytes | None, sent: dict[str, str], param: str) -> None:
    began, kept = now_ms(), stored(stage)
    files = {"image": ("a.png", data, "image/png")} if data is not None else {"user": (None, b"me")}
    reply = post(stage, "/images/variations", data=sent, files=files)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param, reply.text
    assert stage.charged(began) == 0
    nothing_left(stage, kept)
