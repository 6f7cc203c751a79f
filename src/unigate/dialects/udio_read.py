"""Reading what Udio's relays are asked for: songs from an idea or own words, and what comes before or after a song.

Fields are those of the relays' `gen_params`; the vendor's old web body is read into them. Sources: the web client
chatgpt-web-midjourney-proxy (`src/api/udio.ts`), github.com/flowese/UdioWrapper. What is not known travels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from unigate.dialects import relay_tasks as relay
from unigate.dialects.json_read import refuse_twice
from unigate.dialects.relay_tasks import Fields, Refused
from unigate.spec.binding import Binding
from unigate.spec.task import ALLOTTED, Draft, Submission, Task

#: Kind of the bindings of songs.
SONG = "udio_song"
#: Songs of one task.
SONGS = 2
MODEL = "udio32-v1.5"
#: Another reseller's names.
MODELS: Mapping[str, str] = {"studio32-v1.5": MODEL, "studio130-v1.5": "udio130-v1.5"}
LYRICS = ("generate", "user", "instrumental")
MODES = ("regular", "continuation", "precede")
_SHARES = (
    "song_section_start",
    "song_section_end",
    "lyrics_placement_start",
    "lyrics_placement_end",
    "prompt_strength",
    "lyrics_strength",
    "clarity_strength",
    "generation_quality",
)
#: What is said in other words, or would name a song in the vendor's.
_NOT_SENT = frozenset({"notify_hook", "model_type", "samplerOptions", "source", "song_id"})


def read(asked: Submission) -> Draft:
    """The draft of a submission; Refused, InvalidJson."""
    given = relay.fields(asked.body)
    refuse_twice(asked.body, given)
    allots = asked.operation.name == "udio.generate"
    if "gen_params" not in given and allots:
        given = {"gen_params": _of_the_web(given)}
    params = given.get("gen_params")
    if not isinstance(params, dict):
        raise Refused("gen_params must be an object")
    refuse_twice(asked.body, params, ("gen_params",))
    params = _said(params)
    notify = relay.read_notify(given) or relay.read_notify(params)
    _check(params)
    named = relay.text(params, "model_type") or MODEL
    model = MODELS.get(named, named)
    source = _source(params)
    sent = {name: value for name, value in params.items() if _travels(name)}
    if isinstance(config := params.get("config"), dict) and not source:
        sent["config"] = {name: value for name, value in config.items() if name != "source"}
    more = {name: value for name, value in given.items() if _travels(name) and name not in {"gen_params", "config"}}
    return Draft(
        operation="udio.music",
        model=model,
        body={**more, "gen_params": sent},
        input={
            "prompt": relay.text(params, "prompt"),
            "mode": _mode(params),
            "source": source,
            **({ALLOTTED: [str(uuid4()) for _ in range(SONGS)]} if allots else {}),
        },
        conditions={"model_type": model, "mode": _mode(params)},
        notify=notify,
        task_id=str(uuid4()),
    )


def source_of(draft: Draft) -> str:
    """The song that a draft goes on from; "": none."""
    return str(draft.input.get("source") or "")


def kept_things(draft: Draft) -> Sequence[tuple[str, str]]:
    """Kind and id of the song that it names."""
    source = source_of(draft)
    return [(SONG, source)] if source else []


def with_kept(draft: Draft, found: Mapping[str, Binding]) -> Draft:
    """The draft, with its relay's own id of the song, sent to where that is; Refused where it is not there."""
    song = found.get(source_of(draft))
    if song is None:
        raise relay.missing_parent(source_of(draft))
    params: Any = draft.body["gen_params"]
    config = {**params["config"], "source": {**params["config"]["source"], "song_id": song.upstream_id}}
    return replace(draft, body={**draft.body, "gen_params": {**params, "config": config}}, pinned=song)


def go_on(draft: Draft, parent: Task) -> Draft:
    """The draft once the task is known that made its song; Refused where that is not finished."""
    params: Any = draft.body["gen_params"]
    theirs = params["config"]["source"]["song_id"]
    told = parent.detail.get("songs")
    songs = [one for one in told if isinstance(one, Mapping)] if isinstance(told, list | tuple) else []
    song = next((one for one in songs if one.get("id") == theirs), None)
    if song is not None and (not song.get("finished") or song.get("error_type") or song.get("error_detail")):
        raise Refused("The source song is not finished.", "task_origin_not_finished")
    return draft


def _said(params: Fields) -> dict[str, Any]:
    """Members of `gen_params` and of its `config` that say something: null is what clients without a value send."""
    said = {name: value for name, value in params.items() if value is not None}
    if isinstance(config := said.get("config"), dict):
        said["config"] = {name: value for name, value in config.items() if value is not None}
    return said


def _check(params: Fields) -> None:
    prompt, lyrics = relay.text(params, "prompt"), relay.text(params, "lyrics")
    relay.text(params, "negative_prompt")
    kind = params.get("lyrics_type", "generate")
    if kind not in LYRICS:
        raise Refused(f"lyrics_type must be one of: {', '.join(LYRICS)}")
    if not prompt.strip() and not lyrics.strip():
        raise Refused("prompt is required")
    if kind == "user" and not lyrics.strip():
        raise Refused("lyrics are required where lyrics_type is user")
    for name in _SHARES:
        value = params.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise Refused(f"{name} must be a number from 0 to 1")
    if type(params.get("seed", -1)) is not int:
        raise Refused("seed must be an integer")
    if not isinstance(params.get("bypass_prompt_optimization", False), bool):
        raise Refused("bypass_prompt_optimization must be true or false")
    config = params.get("config", {})
    if not isinstance(config, dict):
        raise Refused("config must be an object")
    if _mode(params) not in MODES:
        raise Refused(f"config.mode must be one of: {', '.join(MODES)}")
    length = config.get("context_length", 1)
    if type(length) is not int or length < 0:
        raise Refused("config.context_length must be a number of seconds")
    if _mode(params) != "regular" and not _source(params):
        raise Refused("config.source.song_id is required")


def _travels(name: str) -> bool:
    """Whether a member goes on as it is: what may name a song does not, since nobody has looked whose it is."""
    return name not in _NOT_SENT and not name.startswith("audio_conditioning")


def _mode(params: Fields) -> str:
    config = params.get("config")
    return str(config.get("mode") or "regular") if isinstance(config, dict) else "regular"


def _source(params: Fields) -> str:
    """The song that is gone on from; "" for a new one."""
    config = params.get("config")
    source = config.get("source") if isinstance(config, dict) else None
    if _mode(params) == "regular" or source is None:
        return ""
    if not isinstance(source, dict):
        raise Refused("config.source must be an object")
    return relay.text(source, "song_id")


def _of_the_web(given: Fields) -> dict[str, Any]:
    """The vendor's old web body as `gen_params`."""
    options = given.get("samplerOptions", {})
    if not isinstance(options, dict):
        raise Refused("samplerOptions must be an object")
    words = given.get("lyricInput")
    found: dict[str, Any] = {"prompt": given.get("prompt", "")}
    if isinstance(words, str):
        found |= {"lyrics": words, "lyrics_type": "user"} if words else {"lyrics_type": "instrumental"}
    elif words is not None:
        raise Refused("lyricInput must be a string")
    if "seed" in options:
        found["seed"] = options["seed"]
    if options.get("crop_start_time") is not None:
        found["song_section_start"] = options["crop_start_time"]
    if options.get("audio_conditioning_type"):
        source = {"source_type": "song", "song_id": options.get("audio_conditioning_song_id") or ""}
        found["config"] = {"mode": options["audio_conditioning_type"], "source": source}
    return found
