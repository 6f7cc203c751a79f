"""Clips of Suno that have everything at their top, as gcui-art's server tells of them, in the form of everybody else.

https://github.com/gcui-art/suno-api
"""

from math import isfinite
from typing import Any

from unigate.dialects.suno_view import version


def clip(told: object) -> dict[str, Any]:
    """A clip as the convention has it; {} for what is none."""
    if not isinstance(told, dict) or isinstance(told.get("metadata"), dict):
        return told if isinstance(told, dict) else {}
    about = {name: told.get(name) for name in ("tags", "negative_tags", "gpt_description_prompt", "error_message")}
    return {
        **{name: told.get(name) or "" for name in ("id", "title", "status", "audio_url", "image_url", "video_url")},
        "image_large_url": "",
        "created_at": told.get("created_at") or "",
        "model_name": told.get("model_name") or "",
        "major_model_version": version(told.get("model_name")),
        "metadata": {
            **about,
            "type": told.get("type") or ("gen_stem" if "stem_from_id" in told else "gen"),
            "prompt": told.get("prompt") or told.get("lyric") or "",
            "stream": True,
            "history": None,
            "duration": _seconds(told.get("duration")),
            "error_type": None,
            "concat_history": None,
            "refund_credits": told.get("status") == "error",
            "audio_prompt_id": None,
            **({"stem_from_id": told["stem_from_id"]} if "stem_from_id" in told else {}),
        },
    }


def _seconds(told: object) -> float | None:
    """A length, which may be told as a text."""
    try:
        found = float(told) if isinstance(told, int | float | str) else None
    except ValueError:
        return None
    return found if found is not None and isfinite(found) else None
