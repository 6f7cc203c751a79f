"""Models of Replicate as data: how each is named, what its input takes, and what it makes.

Fields, ranges and defaults are those of the vendor's pages, `https://replicate.com/<owner>/<name>/api/schema`. Fields
that a model does not have are ignored, as by the vendor.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from unigate.sandbox.forms.replicate_fields import Field, chosen, decimal, file, flag, sized, text, whole
from unigate.sandbox.forms.replicate_sizes import IDEOGRAM, IDEOGRAM_RESOLUTIONS, RECRAFT, RECRAFT_SIZES
from unigate.sandbox.serving.answer import Object

#: `list` and `one`: addresses at the end; `steps`: a list that grows while the model runs.
Output = Literal["list", "one", "steps"]
#: Which part of `replicate_make` makes the output.
Maker = Literal["pictures", "drawing", "cutout", "removal", "animation", "clip", "film"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model."""

    #: `owner/name`.
    name: str
    description: str
    #: Its version's id: 64 hexadecimal digits.
    version: str
    #: Official models are called by their name, others by their version.
    official: bool
    fields: tuple[Field, ...]
    output: Output
    makes: Maker = "pictures"
    #: Of its pictures, where the input has no `output_format`.
    format: Literal["png", "webp"] = "png"
    #: Which colour of a mask is repainted.
    repaints: Literal["white", "black"] = "white"

    def schema(self) -> Object:
        """The OpenAPI document of its version, as far as clients read it."""
        properties = {field.name: field.schema(order) for order, field in enumerate(self.fields)}
        required = [field.name for field in self.fields if field.required]
        uri: Object = {"type": "string", "format": "uri"}
        output = uri if self.output == "one" else {"type": "array", "items": uri}
        if self.output == "steps":
            output["x-cog-array-type"] = "iterator"
        return {
            "openapi": "3.0.2",
            "info": {"title": "Cog", "version": "0.1.0"},
            "paths": {},
            "components": {
                "schemas": {
                    "Input": {"title": "Input", "type": "object", "required": required, "properties": properties},
                    "Output": {"title": "Output", **output},
                    **{field.name: field.choices() for field in self.fields if field.allowed},
                }
            },
        }


def _community(name: str, version: str, told: str, *fields: Field, output: Output, makes: Maker = "pictures") -> Model:
    return Model(
        name=name, description=told, version=version, official=False, fields=fields, output=output, makes=makes
    )


def _official(name: str, told: str, *fields: Field, output: Output = "one", makes: Maker = "pictures") -> Model:
    version = hashlib.sha256(name.encode()).hexdigest()
    return Model(name=name, description=told, version=version, official=True, fields=fields, output=output, makes=makes)


_SCHEDULERS = ("DDIM", "K_EULER", "DPMSolverMultistep", "K_EULER_ANCESTRAL", "PNDM", "KLMS")
_XL_SCHEDULERS = ("DDIM", "DPMSolverMultistep", "HeunDiscrete", "KarrasDPM", "K_EULER_ANCESTRAL", "K_EULER", "PNDM")
_FORMATS = ("webp", "jpg", "png")
_FLUX_RATIOS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
_PRO_RATIOS = ("custom", "1:1", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3")
_ULTRA_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21")
_DRAWN = (
    "pixel_art",
    "hand_drawn",
    "grain",
    "infantile_sketch",
    "2d_art_poster",
    "handmade_3d",
    "hand_drawn_outline",
    "engraving_color",
    "2d_art_poster_2",
)
_REAL = ("b_and_w", "hard_flash", "hdr", "natural_light", "studio_portrait", "enterprise", "motion_blur")
_RECRAFT_STYLES = (
    "any",
    "realistic_image",
    "digital_illustration",
    *(f"digital_illustration/{style}" for style in _DRAWN),
    *(f"realistic_image/{style}" for style in _REAL),
)

_PROMPT = text("prompt", required=True)
_SEED = whole("seed")
_UNCHECKED = flag("disable_safety_checker")


def _sides(usual: int, step: int = 64) -> tuple[Field, Field]:
    return whole("width", 64, 1024, usual, step=step), whole("height", 64, 1024, usual, step=step)


def _diffusion(prompt: str, *, most: int = 4, steps: int = 50, guidance: float = 20) -> tuple[Field, ...]:
    """What the older models have in common."""
    return (
        text("prompt", prompt),
        text("negative_prompt"),
        whole("num_outputs", 1, most, 1),
        whole("num_inference_steps", 1, 500, steps),
        decimal("guidance_scale", 1, guidance, 7.5),
        _SEED,
    )


def _flux(*, steps: int, most_steps: int, ratios: tuple[str, ...] = _FLUX_RATIOS) -> tuple[Field, ...]:
    """What the open models of one family have in common."""
    return (
        _PROMPT,
        chosen("aspect_ratio", ratios, "1:1"),
        whole("num_outputs", 1, 4, 1),
        whole("num_inference_steps", 1, most_steps, steps),
        _SEED,
        chosen("output_format", _FORMATS, "webp"),
        whole("output_quality", 0, 100, 80),
        _UNCHECKED,
    )


_FROM_IMAGE = (file("image"), decimal("prompt_strength", 0, 1, 0.8))
_FAST = (flag("go_fast", usual=True), chosen("megapixels", ("1", "0.25"), "1"))
_LORA = (text("hf_lora"), decimal("lora_scale", 0, 1, 0.8))
_PRO = (
    _PROMPT,
    file("image_prompt"),
    chosen("aspect_ratio", _PRO_RATIOS, "1:1"),
    whole("width", 256, 1440),
    whole("height", 256, 1440),
    whole("safety_tolerance", 1, 6, 2),
    flag("prompt_upsampling"),
    _SEED,
    chosen("output_format", _FORMATS, "webp"),
    whole("output_quality", 0, 100, 80),
)
_RECRAFT = (
    _PROMPT,
    chosen("size", RECRAFT_SIZES, "1024x1024"),
    chosen("aspect_ratio", ("Not set", *RECRAFT), "Not set"),
)

_ALL = (
    _community(
        "stability-ai/stable-diffusion",
        "ac732df83cea7fff18b8472768c88ad041fa750ff7682a21affe81863cbe77e4",
        "Pictures from words",
        *_diffusion("a vision of paradise. unreal engine"),
        *_sides(768),
        chosen("scheduler", _SCHEDULERS, "DPMSolverMultistep"),
        output="list",
    ),
    _community(
        "stability-ai/sdxl",
        "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
        "Larger pictures from words, pictures and masks",
        *_diffusion("An astronaut riding a rainbow unicorn", guidance=50),
        *_FROM_IMAGE,
        file("mask"),
        whole("width", usual=1024),
        whole("height", usual=1024),
        chosen("scheduler", _XL_SCHEDULERS, "K_EULER"),
        chosen("refine", ("no_refiner", "expert_ensemble_refiner", "base_image_refiner"), "no_refiner"),
        decimal("high_noise_frac", 0, 1, 0.8),
        whole("refine_steps"),
        flag("apply_watermark", usual=True),
        decimal("lora_scale", 0, 1, 0.6),
        text("replicate_weights"),
        _UNCHECKED,
        output="list",
    ),
    _community(
        "stability-ai/stable-diffusion-inpainting",
        "95b7223104132402a9ae91cc677285bc5eb997834bd2349fa486f53910fd68b3",
        "Repaints what a mask marks",
        *_diffusion("a herd of grazing sheep"),
        file("image", required=True),
        file("mask", required=True),
        *_sides(512),
        chosen("scheduler", _SCHEDULERS, "DPMSolverMultistep"),
        _UNCHECKED,
        output="list",
    ),
    _community(
        "stability-ai/stable-diffusion-img2img",
        "15a3689ee13b0d2616e98820eca31d4c3abcd36672df6afce5cb6feb1d66087d",
        "Pictures from a picture and words",
        *_diffusion("A fantasy landscape, trending on artstation", most=8, steps=25),
        file("image", required=True),
        decimal("prompt_strength", 0, 1, 0.8),
        chosen("scheduler", _SCHEDULERS, "DPMSolverMultistep"),
        output="list",
    ),
    _community(
        "lucataco/flux-schnell-lora",
        "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574",
        "FLUX.1 schnell with weights of one's own",
        *_flux(steps=4, most_steps=12),
        *_FROM_IMAGE,
        *_LORA,
        output="list",
    ),
    _community(
        "lucataco/flux-dev-lora",
        "091495765fa5ef2725a175a57b276ec30dc9d39c22d30410f2ede68a3eab66b3",
        "FLUX.1 dev with weights of one's own",
        *_flux(steps=28, most_steps=50),
        *_FROM_IMAGE,
        decimal("guidance_scale", 0, 10, 3.5),
        *_LORA,
        output="list",
    ),
    _community(
        "andreasjansson/stable-diffusion-animation",
        "ca1f5e306e5721e19c473e0d094e6603f0456fe759c10715fcd6c1b79242d4a5",
        "Films that lead from one prompt to another",
        text("prompt_start", required=True),
        text("prompt_end", required=True),
        sized("width", (128, 256, 512, 768, 1024), 512),
        sized("height", (128, 256, 512, 768), 512),
        whole("num_inference_steps", 1, 500, 50),
        decimal("prompt_strength", 0, 1, 0.8),
        whole("num_animation_frames", 2, 50, 10),
        whole("num_interpolation_steps", 1, 50, 5),
        decimal("guidance_scale", 1, 20, 7.5),
        whole("gif_frames_per_second", 1, 50, 20),
        flag("gif_ping_pong"),
        flag("film_interpolation", usual=True),
        flag("intermediate_output"),
        _SEED,
        chosen("output_format", ("gif", "mp4"), "gif"),
        output="steps",
        makes="animation",
    ),
    _community(
        "lucataco/animate-diff",
        "beecf59c4aee8d81bf04f0381033dfa10dc16e845b4ae00d281e2fa377e48a9f",
        "Short films from words",
        text("prompt", "masterpiece, best quality, 1girl, solo, cherry blossoms, hanami, pink flower"),
        text("n_prompt", ""),
        text("path", "toonyou_beta3.safetensors"),
        text("motion_module", "mm_sd_v14"),
        whole("steps", 1, 100, 25),
        decimal("guidance_scale", 1, 10, 7.5),
        whole("seed", 0, 2**31 - 1),
        output="one",
        makes="clip",
    ),
    _community(
        "sujaykhandekar/object-removal",
        "153b0087c2576ad30d8cbddb35275b387d1a6bf986bda5499948f843f6460faf",
        "Takes named things out of a picture",
        file("image_path", required=True),
        Field(name="objects_to_remove", kind="names", required=True),
        output="one",
        makes="removal",
    ),
    _community(
        "cjwbw/rembg",
        "fb8af171cfa1616ddcf1242c093f9c46bcada5ad4cf6f2fbe8b81b330ec5c003",
        "Takes the background out of a picture",
        file("image", required=True),
        output="one",
        makes="cutout",
    ),
    _official("black-forest-labs/flux-1.1-pro", "FLUX 1.1 pro", *_PRO),
    _official(
        "black-forest-labs/flux-1.1-pro-ultra",
        "FLUX 1.1 pro with four megapixels",
        _PROMPT,
        file("image_prompt"),
        decimal("image_prompt_strength", 0, 1, 0.1),
        chosen("aspect_ratio", _ULTRA_RATIOS, "1:1"),
        whole("safety_tolerance", 1, 6, 2),
        flag("raw"),
        _SEED,
        chosen("output_format", ("jpg", "png"), "jpg"),
    ),
    _official(
        "black-forest-labs/flux-dev",
        "FLUX.1 dev",
        *_flux(steps=28, most_steps=50),
        *_FROM_IMAGE,
        decimal("guidance", 0, 10, 3),
        *_FAST,
        output="list",
    ),
    _official(
        "black-forest-labs/flux-pro",
        "FLUX.1 pro",
        *_PRO,
        decimal("guidance", 2, 5, 3),
        whole("steps", 1, 50, 25),
        decimal("interval", 1, 4, 2),
    ),
    _official("black-forest-labs/flux-schnell", "FLUX.1 schnell", *_flux(steps=4, most_steps=4), *_FAST, output="list"),
    _official(
        "minimax/video-01-live",
        "Films from a drawn picture",
        _PROMPT,
        file("first_frame_image", required=True),
        flag("prompt_optimizer", usual=True),
        makes="film",
    ),
    _official(
        "minimax/video-01",
        "Films from words or a picture",
        _PROMPT,
        file("first_frame_image"),
        file("subject_reference"),
        flag("prompt_optimizer", usual=True),
        makes="film",
    ),
    replace(
        _official("recraft-ai/recraft-v3", "Designs as pictures", *_RECRAFT, chosen("style", _RECRAFT_STYLES, "any")),
        format="webp",
    ),
    _official(
        "recraft-ai/recraft-v3-svg",
        "Designs as vectors",
        *_RECRAFT,
        chosen("style", ("any", "engraving", "line_art", "line_circuit", "linocut"), "any"),
        makes="drawing",
    ),
    replace(
        _official(
            "ideogram-ai/ideogram-v2-turbo",
            "Pictures with legible texts",
            _PROMPT,
            text("negative_prompt"),
            chosen("aspect_ratio", tuple(IDEOGRAM), "1:1"),
            chosen("resolution", ("None", *IDEOGRAM_RESOLUTIONS), "None"),
            chosen("magic_prompt_option", ("Auto", "On", "Off"), "Auto"),
            chosen("style_type", ("None", "Auto", "General", "Realistic", "Design", "Render 3D", "Anime"), "None"),
            file("image"),
            file("mask"),
            _SEED,
        ),
        repaints="black",
    ),
)

MODELS: Mapping[str, Model] = {model.name: model for model in _ALL}
VERSIONS: Mapping[str, Model] = {model.version: model for model in _ALL}
#: owner/name of a deployment -> its model.
DEPLOYMENTS: Mapping[str, Model] = {"sandbox/demo": MODELS["black-forest-labs/flux-schnell"]}
