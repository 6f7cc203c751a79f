"""Submissions to Suno as drafts: what is asked for, whether it can be done at all, what it is priced as, what goes upstream.

Fields that are not known here travel too, and so do models of tomorrow; the caller's address for notices and its task ids do
not, since a server upstream knows its own. What is remembered (`Draft.input`): `action`, `task`, the texts, `mv`, and which
moments of a clip were named. Source: github.com/Suno-API/Suno-API, and the relays after it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from unigate.dialects import addresses
from unigate.dialects.relay_tasks import Fields, Refused, missing_parent, read_notify, text
from unigate.spec.binding import Binding
from unigate.spec.task import ALLOTTED, Draft, Task

#: The public name of the model, by which calls are routed.
MODEL = "suno"
#: Kinds of what is kept at a channel's account.
CLIP, PERSONA, UPLOAD = "suno_clip", "suno_persona", "suno_upload"
#: What lies at accounts that users share: the servers take it by members that are not known here too.
GUARDED = (CLIP, PERSONA, UPLOAD)
#: What `mv` is where nobody says.
DEFAULT_MV = "chirp-v4"
#: `task` -> the member without which it can't be done.
TASKS: Mapping[str, str] = {
    "extend": "continue_clip_id",
    "upload_extend": "continue_clip_id",
    "cover": "cover_clip_id",
    "infill": "continue_clip_id",
    "artist_consistency": "persona_id",
    "gen_stem": "continue_clip_id",
}
#: Members that name something kept -> its kind; the first that is there is what a draft goes on from.
_THINGS: Mapping[str, str] = {
    "continue_clip_id": CLIP,
    "cover_clip_id": CLIP,
    "artist_clip_id": CLIP,
    "clip_id": CLIP,
    "root_clip_id": CLIP,
    "persona_id": PERSONA,
}
#: Those of them that songs do not name.
_OTHERS = ("clip_id", "root_clip_id")
_TEXTS = ("gpt_description_prompt", "prompt", "title", "tags", "negative_tags", "mv")
_MOMENTS = ("continue_at", "infill_start_s", "infill_end_s", "crop_start_s", "crop_end_s")
#: Names of the caller's address for notices: the convention's, and those of newer relays.
_HOOKS = ("notify_hook", "callback_url", "callBackUrl")
#: Members that a server upstream is told its own of.
_OURS = frozenset({*_HOOKS, "task_id"})
_LONGEST_NAME = 100
_LONGEST_URL = 2000
#: Seconds by which a moment may lie behind the end of a clip, whose length is told in round numbers.
_ROUNDED = 0.5


def music(given: Fields) -> Draft:
    """Songs: out of an idea, out of words, or out of other songs."""
    texts = {name: text(given, name) for name in _TEXTS}
    task = text(given, "task").lower()
    if task and task not in TASKS:
        raise Refused(f"task {task[:_LONGEST_NAME]} is not supported: {', '.join(TASKS)}")
    named = {name: text(given, name) for name in _THINGS if name not in _OTHERS}
    if not task and named["continue_clip_id"]:
        task = "extend"
    if task and not named[TASKS[task]]:
        raise Refused(f"{TASKS[task]} is empty")
    if not task and not any(texts[name].strip() for name in ("gpt_description_prompt", "prompt", "tags")):
        raise Refused("prompt_empty")
    instrumental = given.get("make_instrumental")
    if instrumental is not None and not isinstance(instrumental, bool):
        raise Refused("make_instrumental must be true or false")
    moments = {name: found for name in _MOMENTS if (found := moment(given, name)) is not None}
    if task == "infill" and not moments.get("infill_start_s", 0.0) < moments.get("infill_end_s", 0.0):
        raise Refused("infill_start_s must lie before infill_end_s")
    mv = texts["mv"].strip() or DEFAULT_MV  # as it is priced, so it is sent
    if len(mv) > _LONGEST_NAME:
        raise Refused(f"mv is longer than {_LONGEST_NAME} characters")
    body = {**travels(given), "mv": mv, **({"task": task} if task else {})}
    remembered = {name: value for name, value in texts.items() if value and name != "negative_tags"}
    return drafted(
        "music",
        given,
        body={name: value for name, value in body.items() if name not in _THINGS or value},
        input={**remembered, **moments, "mv": mv, "task": task},
        conditions={"mv": mv, "task": task or "generate"},
        parent_id=text(given, "task_id") if named["continue_clip_id"] else "",
    )


def lyrics(given: Fields) -> Draft:
    """Words for a song; an empty prompt is one about anything. Models that are named may write several."""
    if given.get("prompt") is None:
        raise Refused("prompt_empty")
    prompt, model = text(given, "prompt"), text(given, "lyrics_model", _LONGEST_NAME)
    about = {"lyrics_model": model} if model else {}
    return drafted("lyrics", given, body=travels(given), input={"prompt": prompt, **about}, conditions=about)


def concat(given: Fields) -> Draft:
    """The whole song of a clip that goes on from another."""
    if not text(given, "clip_id"):
        raise Refused("clip_id is empty")
    infill = given.get("is_infill")
    if infill is not None and not isinstance(infill, bool):
        raise Refused("is_infill must be true or false")
    return drafted("concat", given, body={**travels(given), "is_infill": bool(infill)}, input={"task": "concat"})


def upload(given: Fields) -> Draft:
    """A sound by its address; its task and its clip have one id."""
    url = text(given, "url", _LONGEST_URL)
    if not addresses.plain(url, login=False):
        raise Refused("url must be the address of a sound")
    draft = drafted("upload", given, body=travels(given), input={})
    return replace(draft, input={**draft.input, ALLOTTED: [draft.task_id]})


READERS: Mapping[str, Callable[[Fields], Draft]] = {
    "music": music,
    "lyrics": lyrics,
    "concat": concat,
    "upload": upload,
}


def things(draft: Draft) -> Sequence[tuple[str, str]]:
    """Kind and id of what a draft names."""
    return [(kind, str(draft.body[name])) for name, kind in _THINGS.items() if draft.body.get(name)]


def with_things(draft: Draft, found: Mapping[str, Binding]) -> Draft:
    """The draft by the names of the account that has them; Refused where one is not there, or they lie apart."""
    body: dict[str, Any] = dict(draft.body)
    places: list[Binding] = []
    for name, kind in _THINGS.items():
        if not body.get(name):
            continue
        binding = found.get(str(body[name]))
        if binding is None or binding.kind != kind:
            raise missing_parent("")
        body[name] = binding.upstream_id
        places.append(binding)
    if "root_clip_id" in body:
        body["clips"] = [body["root_clip_id"]]
    if len({(one.channel_id, one.credential_id) for one in places}) > 1:
        raise Refused("what is named was made at different accounts, and can't be used together")
    return replace(draft, body=body, pinned=places[0] if places else None)


def source(draft: Draft) -> str:
    """The clip that a draft goes on from, "" for none."""
    names = (name for name, kind in _THINGS.items() if kind == CLIP)
    return next((str(draft.body[name]) for name in names if draft.body.get(name)), "")


def go_on(draft: Draft, parent: Task) -> Draft:
    """The draft once the task is known whose clip it goes on from; Refused where it can't."""
    clips = parent.detail.get("data")
    named = source(draft)
    clip = next(
        (one for one in clips if isinstance(one, Mapping) and one.get("id") == named)
        if isinstance(clips, list | tuple)
        else iter(()),
        None,
    )
    if not parent.dialect.startswith(MODEL) or clip is None:
        raise missing_parent(parent.id)
    if parent.state != "succeeded" or clip.get("status") == "error":
        raise Refused("the clip is not complete")
    length = _length(clip)
    for name in _MOMENTS:
        at = draft.input.get(name)
        if isinstance(at, int | float) and length is not None and at > length + _ROUNDED:
            raise Refused(f"{name} lies outside the clip, which has {length:g} seconds")
    return draft


def moment(given: Fields, name: str) -> float | None:
    """A moment of a clip in seconds; Refused."""
    told = given.get(name)
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or told < 0:
        raise Refused(f"{name} must be a number of seconds")
    return told


def drafted(action: str, given: Fields, **more: Any) -> Draft:
    """The draft of an action; `input` is what is remembered of it beside its name."""
    about = more.pop("input")
    return Draft(
        operation=f"{MODEL}.{action.replace('-', '_')}",
        model=MODEL,
        input={"action": action.upper(), **about},
        notify=next((found for name in _HOOKS if (found := read_notify(given, name))), None),
        task_id=str(uuid4()),
        **more,
    )


def travels(given: Fields) -> dict[str, Any]:
    """What goes to a server upstream."""
    return {name: value for name, value in given.items() if name not in _OURS}


def _length(clip: Mapping[str, object]) -> float | None:
    """Seconds of a clip; None where its maker has not told."""
    about = clip.get("metadata")
    told = about.get("duration") if isinstance(about, Mapping) else None
    told = told or clip.get("duration")
    return told if isinstance(told, int | float) and not isinstance(told, bool) and told > 0 else None
