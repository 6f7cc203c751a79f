"""Models of Replicate as data: how each is named and called, what its input takes, what it makes and how that is counted.

Fields, ranges and defaults are those of the vendor's pages (`https://replicate.com/<owner>/<name>/api/schema`, read from
2024 to 2026). A model that is not here is called all the same, where a channel serves it and it has a price.
"""

from collections.abc import Mapping
from types import MappingProxyType

from unigate.dialects.replicate_fields import Field, chosen, decimal, file, flag, sized, text, whole
from unigate.dialects.replicate_known import Known, community, named, official

_SCHEDULERS = ("K_EULER", "DDIM", "K_EULER_ANCESTRAL", "PNDM", "KLMS")
_XL_SCHEDULERS = ("DDIM", "DPMSolverMultistep", "HeunDiscrete", "KarrasDPM", "K_EULER_ANCESTRAL", "PNDM")
_RATIOS = ("16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
_PRO_RATIOS = ("custom", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3")
_ULTRA_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "4:5", "3:4", "2:3", "9:16", "9:21")
_DRAWN_SIZES = (
    *("1365x1024", "1024x1365", "1536x1024", "1024x1536", "1820x1024", "1024x1820", "1024x2048", "2048x1024"),
    *("1434x1024", "1024x1434", "1024x1280", "1280x1024", "1707x1024", "1024x1707"),
)
_DRAWN_RATIOS = (
    *("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "1:2", "2:1", "7:5", "5:7", "4:5", "5:4", "3:5", "5:3"),
)
_IDEOGRAM_RATIOS = ("16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "16:10", "10:16", "3:1", "1:3")
_ILLUSTRATIONS = (
    *("pixel_art", "hand_drawn", "grain", "infantile_sketch", "2d_art_poster", "handmade_3d", "hand_drawn_outline"),
    *("engraving_color", "2d_art_poster_2"),
)
_PHOTOGRAPHS = ("b_and_w", "hard_flash", "hdr", "natural_light", "studio_portrait", "enterprise", "motion_blur")

_PROMPT = text(needed=True, about="What is to be seen.")
_SEED = whole(about="The same seed and input give the same picture.")
_IMAGE = file(about="A picture to begin with.")
_REPAINTED = file(about="What is white in it is painted anew, what is black stays.")
_FORMAT = chosen("webp", "jpg", "png", about="Of the pictures.")
_QUALITY = whole(0, 100, 80, about="Of jpg and webp.")
_SAFETY = flag(about="Do not look for what is not safe for work.")


def _stable(steps: int = 50, most: int = 4) -> dict[str, Field]:
    return {
        "prompt": text(about="What is to be seen; the model has one of its own."),
        "negative_prompt": text(about="What is not to be seen."),
        "num_outputs": whole(1, most, 1, about="How many pictures."),
        "num_inference_steps": whole(1, 500, steps),
        "guidance_scale": decimal(1, 20, 7.5),
        "scheduler": chosen("DPMSolverMultistep", *_SCHEDULERS),
        "seed": _SEED,
    }


def _flux(steps: int, usual: int) -> dict[str, Field]:
    return {
        "prompt": _PROMPT,
        "aspect_ratio": chosen("1:1", *_RATIOS),
        "num_outputs": whole(1, 4, 1, about="How many pictures; those found unsafe are left out."),
        "num_inference_steps": whole(1, steps, usual),
        "seed": _SEED,
        "output_format": _FORMAT,
        "output_quality": _QUALITY,
        "disable_safety_checker": _SAFETY,
    }


def _pro(formats: Field = _FORMAT) -> dict[str, Field]:
    return {
        "prompt": _PROMPT,
        "image_prompt": file(about="A picture (jpeg, png, gif, webp) that leads the composition."),
        "safety_tolerance": whole(1, 6, 2, about="1 is the strictest."),
        "seed": _SEED,
        "output_format": formats,
    }


def _sides() -> dict[str, Field]:
    side = whole(256, 1440, about="Only with the ratio `custom`; rounded to a multiple of 32.")
    return {
        "aspect_ratio": chosen("1:1", *_PRO_RATIOS),
        "width": side,
        "height": side,
        "prompt_upsampling": flag(about="Let the model make more of the prompt."),
        "output_quality": _QUALITY,
    }


_LORA = {
    "image": _IMAGE,
    "prompt_strength": decimal(0, 1, 0.8),
    "hf_lora": text(about="Path at Hugging Face, or address of the weights."),
    "lora_scale": decimal(0, 1, 0.8),
}
_FAST = {"go_fast": flag(usual=True), "megapixels": chosen("1", "0.25")}

_ALL = (
    community(
        "stability-ai/stable-diffusion",
        "ac732df83cea7fff18b8472768c88ad041fa750ff7682a21affe81863cbe77e4",
        "Pictures from words.",
        10,
        named(
            **_stable(),
            width=whole(64, 1024, 768, step=64),
            height=whole(64, 1024, 768, step=64),
        ),
    ),
    community(
        "stability-ai/sdxl",
        "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
        "Pictures from words or a picture, larger.",
        15,
        named(
            **{
                **_stable(),
                "negative_prompt": text("", about="What is not to be seen."),
                "image": _IMAGE,
                "mask": _REPAINTED,
                "width": whole(usual=1024),
                "height": whole(usual=1024),
                "guidance_scale": decimal(1, 50, 7.5),
                "prompt_strength": decimal(0, 1, 0.8),
                "scheduler": chosen("K_EULER", *_XL_SCHEDULERS),
                "refine": chosen("no_refiner", "expert_ensemble_refiner", "base_image_refiner"),
                "high_noise_frac": decimal(0, 1, 0.8),
                "refine_steps": whole(),
                "apply_watermark": flag(usual=True),
                "lora_scale": decimal(0, 1, 0.6),
                "replicate_weights": text(),
                "disable_safety_checker": _SAFETY,
            },
        ),
    ),
    community(
        "stability-ai/stable-diffusion-inpainting",
        "95b7223104132402a9ae91cc677285bc5eb997834bd2349fa486f53910fd68b3",
        "Paints a part of a picture anew.",
        10,
        named(
            **_stable(),
            image=file(needed=True, about="The picture."),
            mask=file(needed=True, about=_REPAINTED.about),
            width=whole(usual=512, step=64),
            height=whole(usual=512, step=64),
            disable_safety_checker=_SAFETY,
        ),
    ),
    community(
        "stability-ai/stable-diffusion-img2img",
        "15a3689ee13b0d2616e98820eca31d4c3abcd36672df6afce5cb6feb1d66087d",
        "Makes another picture of a picture.",
        10,
        named(
            **_stable(steps=25, most=8),
            image=file(needed=True, about="The picture."),
            prompt_strength=decimal(None, None, 0.8),
        ),
    ),
    community(
        "lucataco/flux-schnell-lora",
        "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574",
        "The quick FLUX with weights of one's own.",
        15,
        named(
            **_flux(12, 4),
            **_LORA,
        ),
    ),
    community(
        "lucataco/flux-dev-lora",
        "091495765fa5ef2725a175a57b276ec30dc9d39c22d30410f2ede68a3eab66b3",
        "FLUX with weights of one's own.",
        30,
        named(
            **_flux(50, 28),
            **_LORA,
            guidance_scale=decimal(0, 10, 3.5),
        ),
    ),
    community(
        "andreasjansson/stable-diffusion-animation",
        "ca1f5e306e5721e19c473e0d094e6603f0456fe759c10715fcd6c1b79242d4a5",
        "A moving picture from one prompt to another.",
        300,
        named(
            prompt_start=text(needed=True, about="How it begins."),
            prompt_end=text(needed=True, about="How it ends; several are parted by `|`."),
            width=sized(512, 128, 256, 512, 768, 1024),
            height=sized(512, 128, 256, 512, 768),
            num_inference_steps=whole(1, 500, 50),
            prompt_strength=decimal(None, None, 0.8),
            num_animation_frames=whole(2, 50, 10),
            num_interpolation_steps=whole(1, 50, 5),
            guidance_scale=decimal(1, 20, 7.5),
            gif_frames_per_second=whole(1, 50, 20),
            gif_ping_pong=flag(),
            film_interpolation=flag(usual=True),
            intermediate_output=flag(about="Give the stills too, before the film."),
            seed=_SEED,
            output_format=chosen("gif", "mp4"),
        ),
        video=True,
    ),
    community(
        "lucataco/animate-diff",
        "beecf59c4aee8d81bf04f0381033dfa10dc16e845b4ae00d281e2fa377e48a9f",
        "A short film from words.",
        60,
        named(
            prompt=text(about="What is to be seen; the model has one of its own."),
            n_prompt=text("", about="What is not to be seen."),
            path=text("toonyou_beta3.safetensors", about="The checkpoint."),
            motion_module=text("mm_sd_v14"),
            steps=whole(1, 100, 25),
            guidance_scale=decimal(1, 10, 7.5),
            seed=whole(0, 2147483647, about="0: by chance."),
        ),
        lists=False,
        video=True,
    ),
    community(
        "sujaykhandekar/object-removal",
        "153b0087c2576ad30d8cbddb35275b387d1a6bf986bda5499948f843f6460faf",
        "Takes things out of a picture.",
        30,
        named(
            image_path=file(needed=True, about="The picture."),
            objects_to_remove=Field(kind="names", needed=True, about="Names of things, parted by commas: `car,cat`."),
        ),
        lists=False,
    ),
    community(
        "cjwbw/rembg",
        "fb8af171cfa1616ddcf1242c093f9c46bcada5ad4cf6f2fbe8b81b330ec5c003",
        "Takes the background out of a picture.",
        10,
        named(
            image=file(needed=True, about="The picture."),
        ),
        lists=False,
    ),
    official(
        "black-forest-labs/flux-1.1-pro",
        "Pictures from words.",
        named(
            **_pro(),
            **_sides(),
        ),
    ),
    official(
        "black-forest-labs/flux-1.1-pro-ultra",
        "Pictures of up to four megapixels.",
        named(
            **_pro(chosen("jpg", "png")),
            aspect_ratio=chosen("1:1", *_ULTRA_RATIOS),
            image_prompt_strength=decimal(0, 1, 0.1),
            raw=flag(about="Less worked over, more natural."),
        ),
    ),
    official(
        "black-forest-labs/flux-dev",
        "Pictures from words or a picture, open weights.",
        named(
            **_flux(50, 28),
            **_FAST,
            image=_IMAGE,
            prompt_strength=decimal(0, 1, 0.8),
            guidance=decimal(0, 10, 3),
        ),
        lists=True,
    ),
    official(
        "black-forest-labs/flux-pro",
        "Pictures from words.",
        named(
            **_pro(),
            **_sides(),
            guidance=decimal(2, 5, 3),
            steps=whole(1, 50, 25, about="Without effect."),
            interval=whole(1, 4, 2, about="Without effect."),
        ),
    ),
    official(
        "black-forest-labs/flux-schnell",
        "The quickest FLUX.",
        named(
            **_flux(4, 4),
            **_FAST,
        ),
        lists=True,
    ),
    official(
        "minimax/video-01-live",
        "A film of about six seconds that begins with a picture, for drawn figures.",
        named(
            prompt=_PROMPT,
            first_frame_image=file(needed=True, about="Its first picture, whose ratio is kept."),
            prompt_optimizer=flag(usual=True),
        ),
        video=True,
    ),
    official(
        "minimax/video-01",
        "A film of about six seconds from words.",
        named(
            prompt=_PROMPT,
            first_frame_image=file(about="Its first picture."),
            subject_reference=file(about="A person who is to be seen."),
            prompt_optimizer=flag(usual=True),
        ),
        video=True,
    ),
    official(
        "recraft-ai/recraft-v3",
        "Pictures of many styles, with text in them.",
        named(
            prompt=_PROMPT,
            size=chosen("1024x1024", *_DRAWN_SIZES, about="Without effect where a ratio is given."),
            aspect_ratio=chosen("Not set", *_DRAWN_RATIOS),
            style=chosen(
                "any",
                "realistic_image",
                "digital_illustration",
                *(f"digital_illustration/{style}" for style in _ILLUSTRATIONS),
                *(f"realistic_image/{style}" for style in _PHOTOGRAPHS),
            ),
        ),
    ),
    official(
        "recraft-ai/recraft-v3-svg",
        "Drawings as vectors (svg).",
        named(
            prompt=_PROMPT,
            size=chosen("1024x1024", *_DRAWN_SIZES, about="Without effect where a ratio is given."),
            aspect_ratio=chosen("Not set", *_DRAWN_RATIOS),
            style=chosen("any", "engraving", "line_art", "line_circuit", "linocut"),
        ),
    ),
    official(
        "ideogram-ai/ideogram-v2-turbo",
        "Pictures with text in them, quickly.",
        named(
            prompt=_PROMPT,
            negative_prompt=text(about="What is not to be seen."),
            aspect_ratio=chosen("1:1", *_IDEOGRAM_RATIOS),
            resolution=text("None", about="`WxH` of the vendor's list, before the ratio."),
            magic_prompt_option=chosen("Auto", "On", "Off"),
            style_type=chosen("None", "Auto", "General", "Realistic", "Design", "Render 3D", "Anime"),
            image=file(about="A picture to change; needs a mask."),
            mask=file(about="What is black in it is painted anew, what is white stays."),
            seed=_SEED,
        ),
    ),
)

#: By name, and by the version that is sent.
MODELS: Mapping[str, Known] = MappingProxyType({model.name: model for model in _ALL})
VERSIONS: Mapping[str, Known] = MappingProxyType({model.version: model for model in _ALL if model.version})
