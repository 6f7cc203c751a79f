"""Each model of the sandbox's Replicate: what its input takes, and what it makes, opened and measured."""

import itertools
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from replicate_calls import VERSIONS, Replicate, data_url, difference, film_of, frames_of, opened, photo
from sandbox_client import Sandbox

from unigate.sandbox.forms.replicate_models import MODELS

PHOTO = data_url(photo())


@pytest.fixture
def vendor(sandbox: Sandbox) -> Replicate:
    return Replicate(sandbox)


PICTURES: list[tuple[str, dict[str, Any], list[tuple[int, int]], str]] = [
    ("stability-ai/stable-diffusion", {}, [(768, 768)], "PNG"),
    ("stability-ai/stable-diffusion", {"width": 128, "height": 64, "num_outputs": 4}, [(128, 64)] * 4, "PNG"),
    ("stability-ai/sdxl", {"prompt": "a fox"}, [(1024, 1024)], "PNG"),
    ("stability-ai/sdxl", {"prompt": "a fox", "width": 640, "height": 320, "num_outputs": 2}, [(640, 320)] * 2, "PNG"),
    ("stability-ai/sdxl", {"prompt": "a fox", "image": PHOTO}, [(296, 200)], "PNG"),
    ("stability-ai/stable-diffusion-img2img", {"image": PHOTO, "num_outputs": 8}, [(296, 200)] * 8, "PNG"),
    ("lucataco/flux-schnell-lora", {"prompt": "a fox", "hf_lora": "me/lora"}, [(1024, 1024)], "WEBP"),
    ("lucataco/flux-dev-lora", {"prompt": "a fox", "aspect_ratio": "9:21"}, [(640, 1536)], "WEBP"),
    ("black-forest-labs/flux-1.1-pro", {"prompt": "a fox", "output_format": "jpg"}, [(1024, 1024)], "JPEG"),
    (
        "black-forest-labs/flux-1.1-pro",
        {"prompt": "a fox", "aspect_ratio": "custom", "width": 300, "height": 700},
        [(288, 672)],
        "WEBP",
    ),
    ("black-forest-labs/flux-1.1-pro-ultra", {"prompt": "a fox"}, [(2048, 2048)], "JPEG"),
    (
        "black-forest-labs/flux-dev",
        {"prompt": "a fox", "num_outputs": 3, "megapixels": "0.25"},
        [(512, 512)] * 3,
        "WEBP",
    ),
    ("black-forest-labs/flux-dev", {"prompt": "a fox", "image": PHOTO}, [(296, 200)], "WEBP"),
    ("black-forest-labs/flux-pro", {"prompt": "a fox", "aspect_ratio": "16:9"}, [(1344, 768)], "WEBP"),
    ("black-forest-labs/flux-schnell", {"prompt": "a fox", "output_format": "png"}, [(1024, 1024)], "PNG"),
    ("recraft-ai/recraft-v3", {"prompt": "a fox", "size": "1820x1024"}, [(1820, 1024)], "WEBP"),
    ("recraft-ai/recraft-v3", {"prompt": "a fox", "size": "1820x1024", "aspect_ratio": "4:5"}, [(1024, 1280)], "WEBP"),
    ("ideogram-ai/ideogram-v2-turbo", {"prompt": "a fox", "aspect_ratio": "3:1"}, [(1536, 512)], "PNG"),
    ("ideogram-ai/ideogram-v2-turbo", {"prompt": "a fox", "resolution": "768x1232"}, [(768, 1232)], "PNG"),
]


@pytest.mark.parametrize(("model", "given", "sizes", "kind"), PICTURES)
def test_pictures(
    vendor: Replicate, model: str, given: dict[str, Any], sizes: list[tuple[int, int]], kind: str
) -> None:
    made = vendor.made(model, given)
    pictures = [opened(data) for _, data in made]
    assert [picture.size for picture in pictures] == sizes
    assert {picture.format for picture in pictures} == {kind}
    assert {media_type for media_type, _ in made} == {f"image/{kind.lower()}"}
    for one, other in itertools.pairwise(pictures):
        assert difference(one, other) > 0.1, "each output is a picture of its own"


def test_an_output_is_a_list_or_an_address_as_the_model_has_it(vendor: Replicate) -> None:
    assert isinstance(vendor.done("black-forest-labs/flux-schnell", {"prompt": "x"})["output"], list)
    assert isinstance(vendor.done("black-forest-labs/flux-pro", {"prompt": "x"})["output"], str)


def test_the_seed_and_the_prompt_make_the_picture(vendor: Replicate) -> None:
    given = {"prompt": "a fox", "seed": 7, "output_format": "png", "megapixels": "0.25"}
    model = "black-forest-labs/flux-schnell"
    one = vendor.picture(model, given)
    assert difference(vendor.picture(model, given), one) == 0
    assert difference(vendor.picture(model, {**given, "seed": 8}), one) > 5
    assert difference(vendor.picture(model, {**given, "prompt": "a wolf"}), one) > 5


def test_a_given_picture_shines_through_by_its_strength(vendor: Replicate) -> None:
    shown = photo().resize((296, 200))
    given = {"prompt": "a fox", "image": PHOTO}
    weak, strong = (
        vendor.picture("stability-ai/stable-diffusion-img2img", {**given, "prompt_strength": strength})
        for strength in (0.1, 0.9)
    )
    assert difference(weak, shown) < difference(strong, shown) / 2
    near, far = (
        vendor.picture(
            "black-forest-labs/flux-1.1-pro-ultra", {"prompt": "x", "image_prompt": PHOTO, "image_prompt_strength": s}
        )
        for s in (0.9, 0.0)
    )
    square = photo().crop((50, 0, 250, 200)).resize((2048, 2048))
    assert difference(near, square) < difference(far, square) / 2


@pytest.mark.parametrize(
    ("model", "repainted"),
    [
        ("stability-ai/stable-diffusion-inpainting", 255),
        ("stability-ai/sdxl", 255),
        ("ideogram-ai/ideogram-v2-turbo", 0),
    ],
)
def test_only_what_the_mask_marks_is_repainted(vendor: Replicate, model: str, repainted: int) -> None:
    before = photo(512, 512)
    mask = Image.new("L", before.size, 255 - repainted)
    hole = (128, 128, 384, 384)
    mask.paste(repainted, hole)
    given: dict[str, Any] = {"prompt": "a fox", "image": data_url(before), "mask": data_url(mask)}
    if model != "ideogram-ai/ideogram-v2-turbo":
        given |= {"width": 512, "height": 512}
    after = vendor.picture(model, given)
    assert after.size == before.size
    assert difference(after.crop(hole), before.crop(hole)) > 20
    blank = Image.new("RGB", (256, 256))
    after, before = after.convert("RGB"), before.copy()
    after.paste(blank, hole)
    before.paste(blank, hole)
    assert difference(after, before) == 0


def test_rembg_clears_the_border(vendor: Replicate) -> None:
    shown = vendor.picture("cjwbw/rembg", {"image": PHOTO})
    assert (shown.size, shown.mode, shown.format) == ((300, 200), "RGBA", "PNG")
    assert shown.getpixel((0, 0)) == (0, 0, 0, 0)
    assert shown.getchannel("A").getextrema() == (0, 255)
    inner = (25, 25, 275, 175)
    assert difference(shown.crop(inner), photo().crop(inner)) == 0


@pytest.mark.parametrize("named", ["person", "car,cat", ["car", "cat"]])
def test_object_removal_leaves_a_grey_box_for_each_thing(vendor: Replicate, named: str | list[str]) -> None:
    shown = vendor.picture("sujaykhandekar/object-removal", {"image_path": PHOTO, "objects_to_remove": named})
    assert shown.size == (300, 200)
    grey = sum(count for count, colour in shown.getcolors(300 * 200) or [] if colour == (128, 128, 128))
    assert grey >= 50 * 33 * (1 if named == "person" else 2)
    assert difference(shown.crop((0, 0, 50, 40)), photo().crop((0, 0, 50, 40))) == 0


def test_svg_is_a_drawing(vendor: Replicate) -> None:
    ((media_type, data),) = vendor.made("recraft-ai/recraft-v3-svg", {"prompt": "<a> fox & co", "aspect_ratio": "2:1"})
    assert media_type == "image/svg+xml"
    root = ET.fromstring(data)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("2048", "1024")
    assert "<a> fox & co" in [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) >= 5


def test_films_of_six_seconds(vendor: Replicate) -> None:
    ((media_type, data),) = vendor.made("minimax/video-01", {"prompt": "a fox runs"})
    assert media_type == "video/mp4"
    size, seconds, frames = film_of(data)
    assert size == (1280, 720)
    assert 5 <= seconds <= 7
    assert difference(frames[0], frames[len(frames) // 2]) > 5


@pytest.mark.parametrize("model", ["minimax/video-01", "minimax/video-01-live"])
def test_films_begin_with_the_picture_given_and_keep_its_ratio(vendor: Replicate, model: str) -> None:
    ((_, data),) = vendor.made(model, {"prompt": "it turns", "first_frame_image": PHOTO})
    size, seconds, frames = film_of(data)
    assert size == (300, 200)
    assert seconds >= 5
    assert difference(frames[0], photo()) < 15
    assert difference(frames[len(frames) // 2], frames[0]) > 5


def test_films_show_the_person_given(vendor: Replicate) -> None:
    subject = Image.new("RGB", (200, 300), (255, 0, 255))
    ((_, data),) = vendor.made("minimax/video-01", {"prompt": "she smiles", "subject_reference": data_url(subject)})
    first = film_of(data)[2][0]
    red, green, blue = first.convert("RGB").getpixel((640, 360))  # type: ignore[misc]
    assert red > 200 and blue > 200 and green < 80


def test_a_clip(vendor: Replicate) -> None:
    ((media_type, data),) = vendor.made("lucataco/animate-diff", {"prompt": "a fox", "path": "my.safetensors"})
    size, seconds, frames = film_of(data)
    assert (media_type, size) == ("video/mp4", (512, 512))
    assert seconds >= 2
    assert difference(frames[0], frames[len(frames) // 2]) > 5


def test_animations(vendor: Replicate) -> None:
    model = "andreasjansson/stable-diffusion-animation"
    given = {"prompt_start": "a fox", "prompt_end": "a wolf", "width": 128, "height": 128, "num_animation_frames": 3}
    ((media_type, data),) = vendor.made(model, given)
    assert media_type == "image/gif"
    frames = frames_of(data)
    assert len(frames) == 3 * 5
    assert difference(frames[0], frames[7]) > 5
    ((_, again),) = vendor.made(model, {**given, "gif_ping_pong": True})
    assert len(frames_of(again)) == 2 * 3 * 5
    made = vendor.made(model, {**given, "output_format": "mp4", "intermediate_output": True})
    assert [media_type for media_type, _ in made] == ["image/png"] * 3 + ["video/mp4"]
    assert opened(made[0][1]).size == (128, 128)
    assert film_of(made[3][1])[0] == (128, 128)


def test_unsafe_pictures_are_left_out(vendor: Replicate) -> None:
    given = {"prompt": "x [[nsfw:2]]", "num_outputs": 3, "megapixels": "0.25"}
    told = vendor.done("black-forest-labs/flux-schnell", given)
    assert (told["status"], len(told["output"]), told["metrics"]["image_count"]) == ("succeeded", 1, 1)
    given["prompt"] = "x [[nsfw]]"
    told = vendor.done("black-forest-labs/flux-schnell", given)
    assert (told["status"], told["output"]) == ("failed", None)
    assert "NSFW" in told["error"]
    assert len(vendor.done("black-forest-labs/flux-schnell", {**given, "disable_safety_checker": True})["output"]) == 3
    for model in ("recraft-ai/recraft-v3-svg", "minimax/video-01", "black-forest-labs/flux-pro"):
        assert "E005" in vendor.done(model, {"prompt": "x [[nsfw]]"})["error"]


WRONG: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("flux-schnell", {}, "required", "input", "prompt is required"),
    ("flux-schnell", {"prompt": 5}, "invalid_type", "input.prompt", "Expected: string, given: integer"),
    ("flux-schnell", {"prompt": None}, "invalid_type", "input.prompt", "given: null"),
    ("flux-schnell", {"prompt": "x", "num_outputs": 5}, "number_lte", "input.num_outputs", "less than or equal to 4"),
    (
        "flux-schnell",
        {"prompt": "x", "num_outputs": 0},
        "number_gte",
        "input.num_outputs",
        "greater than or equal to 1",
    ),
    ("flux-schnell", {"prompt": "x", "num_outputs": "2"}, "invalid_type", "input.num_outputs", "given: string"),
    ("flux-schnell", {"prompt": "x", "num_outputs": 1.5}, "invalid_type", "input.num_outputs", "given: number"),
    ("flux-schnell", {"prompt": "x", "num_inference_steps": 5}, "number_lte", "input.num_inference_steps", "4"),
    ("flux-schnell", {"prompt": "x", "aspect_ratio": "2:1"}, "enum", "input.aspect_ratio", '"1:1", "16:9"'),
    ("flux-schnell", {"prompt": "x", "go_fast": "yes"}, "invalid_type", "input.go_fast", "Expected: boolean"),
    ("flux-schnell", {"prompt": "x", "output_format": "gif"}, "enum", "input.output_format", "webp"),
    ("flux-schnell", {"prompt": "x", "megapixels": 1}, "invalid_type", "input.megapixels", "Expected: string"),
    ("flux-dev", {"prompt": "x", "guidance": 10.5}, "number_lte", "input.guidance", "10"),
    ("flux-dev", {"prompt": "x", "image": "cat.png"}, "format", "input.image", "Does not match format 'uri'"),
    ("flux-dev", {"prompt": "x", "prompt_strength": 1.1}, "number_lte", "input.prompt_strength", "1"),
    ("flux-1.1-pro", {"prompt": "x", "width": 255}, "number_gte", "input.width", "256"),
    ("flux-1.1-pro", {"prompt": "x", "safety_tolerance": 7}, "number_lte", "input.safety_tolerance", "6"),
    ("flux-1.1-pro", {"prompt": "x", "aspect_ratio": "21:9"}, "enum", "input.aspect_ratio", "custom"),
    ("flux-1.1-pro-ultra", {"prompt": "x", "output_format": "webp"}, "enum", "input.output_format", "jpg"),
    ("flux-pro", {"prompt": "x", "guidance": 1}, "number_gte", "input.guidance", "2"),
    ("stable-diffusion", {"width": 100}, "multiple_of", "input.width", "Must be a multiple of 64"),
    ("stable-diffusion", {"width": 1088}, "number_lte", "input.width", "1024"),
    ("stable-diffusion", {"scheduler": "KarrasDPM"}, "enum", "input.scheduler", "KLMS"),
    ("sdxl", {"scheduler": "KLMS"}, "enum", "input.scheduler", "KarrasDPM"),
    ("sdxl", {"refine": "yes"}, "enum", "input.refine", "expert_ensemble_refiner"),
    ("stable-diffusion-inpainting", {"image": PHOTO}, "required", "input", "mask is required"),
    ("stable-diffusion-img2img", {}, "required", "input", "image is required"),
    ("flux-schnell-lora", {"prompt": "x", "num_inference_steps": 13}, "number_lte", "input.num_inference_steps", "12"),
    ("flux-dev-lora", {"prompt": "x", "lora_scale": -1}, "number_gte", "input.lora_scale", "0"),
    ("stable-diffusion-animation", {"prompt_start": "x"}, "required", "input", "prompt_end is required"),
    (
        "stable-diffusion-animation",
        {"prompt_start": "x", "prompt_end": "y", "height": 1024},
        "enum",
        "input.height",
        "768",
    ),
    ("animate-diff", {"steps": 101}, "number_lte", "input.steps", "100"),
    ("animate-diff", {"seed": 2**31}, "number_lte", "input.seed", "2147483647"),
    ("object-removal", {"image_path": PHOTO}, "required", "input", "objects_to_remove is required"),
    (
        "object-removal",
        {"image_path": PHOTO, "objects_to_remove": [1]},
        "invalid_type",
        "input.objects_to_remove",
        "array",
    ),
    ("rembg", {"image": 5}, "invalid_type", "input.image", "given: integer"),
    ("video-01-live", {"prompt": "x"}, "required", "input", "first_frame_image is required"),
    ("video-01", {}, "required", "input", "prompt is required"),
    ("recraft-v3", {"prompt": "x", "style": "vector"}, "enum", "input.style", "realistic_image/hdr"),
    ("recraft-v3", {"prompt": "x", "size": "1x1"}, "enum", "input.size", "1707x1024"),
    ("recraft-v3-svg", {"prompt": "x", "style": "realistic_image"}, "enum", "input.style", "linocut"),
    ("ideogram-v2-turbo", {"prompt": "x", "style_type": "anime"}, "enum", "input.style_type", "Render 3D"),
    ("ideogram-v2-turbo", {"prompt": "x", "resolution": "800x1280"}, "enum", "input.resolution", "768x1232"),
]


@pytest.mark.parametrize(("short", "given", "kind", "field", "words"), WRONG)
def test_inputs_that_do_not_fit(
    vendor: Replicate, short: str, given: dict[str, Any], kind: str, field: str, words: str
) -> None:
    name = next(name for name in MODELS if name.partition("/")[2] == short)
    answer = vendor.create(name, given)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["title"], told["status"]) == ("Input validation failed", 422)
    (finding,) = told["invalid_fields"]
    assert (finding["type"], finding["field"]) == (kind, field)
    assert words in finding["description"]
    assert told["detail"] == f"- {field}: {finding['description']}\n"


def test_all_that_is_wrong_is_named(vendor: Replicate) -> None:
    told = vendor.create("black-forest-labs/flux-schnell", {"num_outputs": 9, "seed": "x"}).json()
    assert [finding["field"] for finding in told["invalid_fields"]] == ["input", "input.num_outputs", "input.seed"]
    assert told["detail"].count("\n") == 3


def test_fields_that_a_model_does_not_have_are_ignored(vendor: Replicate) -> None:
    told = vendor.done("cjwbw/rembg", {"image": PHOTO, "prompt": 7, "colour": {"a": [1]}})
    assert told["status"] == "succeeded"
    assert told["input"]["colour"] == {"a": [1]}


@pytest.mark.parametrize("name", MODELS)
def test_schemas_of_models(vendor: Replicate, name: str) -> None:
    told = vendor.call("GET", f"/models/{name}").json()
    assert f"{told['owner']}/{told['name']}" == name
    version = told["latest_version"]
    assert re.fullmatch(r"[0-9a-f]{64}", version["id"])
    assert VERSIONS.get(name, version["id"]) == version["id"]
    assert vendor.call("GET", f"/models/{name}/versions/{version['id']}").json() == version
    assert vendor.call("GET", f"/models/{name}/versions").json()["results"] == [version]
    schemas = version["openapi_schema"]["components"]["schemas"]
    properties = schemas["Input"]["properties"]
    assert set(schemas["Input"]["required"]) <= properties.keys()
    assert [one["x-order"] for one in properties.values()] == list(range(len(properties)))
    for field, one in properties.items():
        if "allOf" in one:
            assert one["allOf"] == [{"$ref": f"#/components/schemas/{field}"}]
            assert one["default"] in schemas[field]["enum"]
    output = schemas["Output"]
    assert (output["type"] == "array") is (MODELS[name].output != "one")


def test_there_are_twenty_models(vendor: Replicate) -> None:
    listed = vendor.call("GET", "/models").json()
    assert len(listed["results"]) == len(MODELS) == 20
    assert listed["next"] is None
    assert sum(model.official for model in MODELS.values()) == 10
    assert vendor.call("GET", "/models/nobody/nothing").status_code == 404
    assert vendor.call("GET", f"/models/cjwbw/rembg/versions/{'0' * 64}").status_code == 404
