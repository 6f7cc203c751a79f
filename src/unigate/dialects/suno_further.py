"""Further submits of newer relays: what there is of a clip, tracks, edits, singers and styles as tasks.

ASSUMED: no source shows more of them than their names and that they answer with a task's id. Bodies are those of the calls
that do the same at once (`suno_things`), results what those answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from unigate.dialects.relay_tasks import Fields, Refused, text
from unigate.dialects.suno_read import drafted, moment, music, travels
from unigate.spec.task import Draft

_STEMS: Mapping[str, Any] = {
    "task": "gen_stem",
    "generation_type": "TEXT",
    "prompt": "",
    "make_instrumental": True,
    "stem_type_id": 91,
    "stem_type_group_name": "Two",
    "stem_task": "two",
}
_FASTEST = 4.0


def _stems(given: Fields) -> Draft:
    """The tracks of a clip, as the task of that name makes them."""
    rest = {name: value for name, value in given.items() if name != "clip_id"}
    return music({**_STEMS, **rest, "continue_clip_id": _named(given)})


def _file(action: str) -> Callable[[Fields], Draft]:
    def read(given: Fields) -> Draft:
        """Another file of a clip, or what can be told of it."""
        _named(given)
        return _draft(action, given)

    return read


def _crop(given: Fields) -> Draft:
    """A stretch of a clip."""
    _named(given)
    moments = {name: moment(given, name) for name in ("crop_start_s", "crop_end_s")}
    start, end = moments.values()
    if start is None or end is None or start >= end:
        raise Refused("crop_start_s must lie before crop_end_s")
    return _draft("crop", given, moments)


def _speed(given: Fields) -> Draft:
    """A clip faster or slower."""
    _named(given)
    speed = given.get("speed")
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 1 / _FASTEST <= speed <= _FASTEST:
        raise Refused(f"speed must be a number from {1 / _FASTEST:g} to {_FASTEST:g}")
    return _draft("speed", given)


def _persona(given: Fields) -> Draft:
    """A singer out of a clip."""
    for name in ("root_clip_id", "name"):
        if not text(given, name).strip():
            raise Refused(f"{name} is empty")
    return _draft("persona", {name: value for name, value in given.items() if name != "clips"})


def _styles(given: Fields) -> Draft:
    """Styles in more words."""
    if not text(given, "original_tags").strip():
        raise Refused("original_tags is empty")
    return _draft("upsample-tags", given)


def _named(given: Fields) -> str:
    id = text(given, "clip_id")
    if not id:
        raise Refused("clip_id is empty")
    return id


def _draft(action: str, given: Fields, about: Fields | None = None) -> Draft:
    return drafted(action, given, body=travels(given), input={"task": action, **(about or {})})


READERS: Mapping[str, Callable[[Fields], Draft]] = {
    "stems": _stems,
    **{action: _file(action) for action in ("wav", "midi", "video", "timing")},
    "crop": _crop,
    "speed": _speed,
    "persona": _persona,
    "upsample-tags": _styles,
}
