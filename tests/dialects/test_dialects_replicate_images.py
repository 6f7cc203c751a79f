"""Sizes in OpenAI's form as a model of Replicate's can make them."""

import pytest

from unigate.dialects.replicate_images import input_of

FLUX, SD, SDXL = "black-forest-labs/flux-pro", "stability-ai/stable-diffusion", "stability-ai/sdxl"


@pytest.mark.parametrize(
    ("model", "size", "width", "height"),
    [
        (FLUX, "1024x768", 1024, 768),
        (FLUX, "1440x1440", 1440, 1440),
        (FLUX, "1920x1080", 1440, 810),
        (FLUX, "1080x1920", 810, 1440),
        (SD, "1920x1080", 1024, 576),
        (SD, "1000x1500", 640, 1024),
        (SD, "99999x10", 1024, 64),
        (SDXL, "4096x2048", 4096, 2048),
        ("acme/pictures", "4096x2048", 4096, 2048),
    ],
)
def test_a_size_beyond_a_models_bounds_is_made_smaller(model: str, size: str, width: int, height: int) -> None:
    made = input_of(model, {"prompt": "x", "size": size})
    assert (made["width"], made["height"]) == (width, height)
