"""A relay of Udio: how a submission makes two songs, how they come about in time, how they are shown, and callbacks.

Words in a prompt: `sandbox-moderated` (both songs fail), `sandbox-half` (one of two fails).
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms import udio_studio as studio
from unigate.sandbox.forms.udio_studio import Track, Wanted
from unigate.sandbox.media.files import url
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Answer, Event, Object, VendorError, Whole, encode
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of

_MODERATED, _HALF = "sandbox-moderated", "sandbox-half"
FAILURE = Stage(name="FAILURE", ended=True, error="The song could not be made.")
_TIMELINE: Timeline = (
    (0.0, Stage(name="SUBMITTED")),
    (0.3, Stage(name="QUEUED")),
    (0.6, Stage(name="IN_PROGRESS", progress=10)),
    (1.5, Stage(name="IN_PROGRESS", progress=50)),
    (3.0, Stage(name="SUCCESS", progress=100, ended=True)),
)
_WORDS = {401: "invalid token", 429: "too many requests", 500: "internal error", 503: "no channel"}


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """What belongs to a task."""

    params: Object
    lyrics: str
    origin: str
    hook: str
    songs: tuple[str, str]
    #: Songs that fail, by their place.
    bad: frozenset[int]
    tracks: dict[int, Track] = field(default_factory=dict)
    files: dict[int, tuple[str, str]] = field(default_factory=dict)
    made: asyncio.Event = field(default_factory=asyncio.Event)


def failure(status: int, code: str | None = None) -> VendorError:
    """What is said with a status."""
    retry_after = "1" if status in (429, 503) else None
    return VendorError(status, _WORDS.get(status, "error"), kind="upstream_error", code=code, retry_after=retry_after)


def refused(text: str, code: str = "invalid_request") -> VendorError:
    """What is wrong with a call."""
    return VendorError(400, text, kind="upstream_error", code=code)


def error(told: VendorError) -> Whole:
    """An error as the answer to a call."""
    code = told.code or ("invalid_request" if told.status < 500 else "do_request_failed")
    about = {"message": told.message, "type": told.kind, "code": code}
    return Whole(payload={"code": code, "message": told.message, "data": None, "error": about}, status=told.status)


def in_stream(told: VendorError) -> Event:
    """An error in the middle of a stream; there are none."""
    return Event({"message": told.message}, "end")


async def submit(call: Call) -> Answer:
    """Two songs; the answer is the task's id."""
    body = _body(call)
    params = body.get("gen_params")
    if not isinstance(params, dict) or not (params.get("prompt") or params.get("lyrics")):
        raise refused("gen_params.prompt is required")
    prompt = unmarked(str(params.get("prompt") or ""))
    kind = str(params.get("lyrics_type") or "generate")
    seed = seeds.seed(call.credential, call.number)
    config = params.get("config") or {}
    mode = str(config.get("mode") or "regular")
    source = _source(call, config) if mode != "regular" else None
    lyrics = studio.lyrics_of(prompt, kind, str(params.get("lyrics") or ""), seed)
    dice = seeds.dice(call.number, clock.monotonic_ns())
    bad = frozenset({0, 1}) if _MODERATED in prompt else frozenset({1}) if _HALF in prompt else frozenset()
    work = Work(
        params=params,
        lyrics=lyrics,
        origin=f"http://{call.headers.get('host', '127.0.0.1')}",
        hook=str(body.get("notify_hook") or ""),
        songs=(seeds.uuid(dice), seeds.uuid(dice)),
        bad=bad,
    )
    job = Job(
        id=seeds.uuid(dice),
        credential=call.credential,
        timeline=_TIMELINE,
        failed=FAILURE,
        refuse=failure,
        speed=speed_of(call.body, call.world.options.task_speed),
        fault=call.fault,
        data=work,
    )
    job.begin()
    wanted = Wanted(
        prompt=prompt,
        lyrics=lyrics,
        instrumental=kind == "instrumental",
        model=str(params.get("model_type") or ""),
        avoid=str(params.get("negative_prompt") or ""),
        seed=seed,
        mode=mode,
        source=source.song if source is not None else None,
    )
    if job.timeline[-1][1].name == "SUCCESS":  # else a fault keeps it from that
        call.world.jobs.keep(_produce(call, work, wanted))
    for place, song in enumerate(work.songs):
        call.world.shelf.put(f"udio/{song}", call.credential, (work, place))
    if work.hook:
        call.world.jobs.watch(job, _tell)
    await call.world.jobs.accepted(job)
    return Whole(payload={"code": "success", "message": "", "data": job.id})


async def fetch(call: Call) -> Answer:
    """One task."""
    job = call.world.jobs.poll(call.params["id"], call.credential, call.fault)
    if job is None or not isinstance(job.data, Work):
        raise refused("task_not_exist", "task_not_exist")
    return Whole(payload={"code": "success", "message": "", "data": shown(job)})


def shown(job: Job) -> Object:
    """The task as the relay shows it."""
    work, index = job.data, job.index()
    if job.timeline[index][1].name == "SUCCESS" and not work.made.is_set():
        index -= 1
    stage = job.timeline[index][1]
    word = "FAILURE" if stage.name == "SUCCESS" and len(work.bad) == len(work.songs) else stage.name
    begun = stage.name in ("IN_PROGRESS", "SUCCESS") and "empty" not in job.fault
    songs = [_song(job, work, place, stage) for place in range(len(work.songs))] if begun else []
    return {
        "task_id": job.id,
        "notify_hook": work.hook,
        "action": "udio-generate",
        "status": word,
        "fail_reason": stage.error,
        "submit_time": job.made_ms // 1000,
        "start_time": job.entered_ms(1) // 1000 if index else 0,
        "finish_time": job.entered_ms(index) // 1000 if stage.ended else 0,
        "progress": f"{100 if stage.ended else stage.progress}%",
        "data": {"songs": songs} if songs else None,
    }


def _song(job: Job, work: Work, place: int, stage: Stage) -> Object:
    done = (stage.ended or (place == 0 and stage.progress >= 50)) and work.made.is_set()
    bad = done and place in work.bad
    track = work.tracks.get(place) if done and not bad else None
    sound, cover = work.files.get(place, ("", ""))
    mode = (work.params.get("config") or {}).get("mode", "regular")
    return {
        "id": work.songs[place],
        "tags": list(track.tags) if track else [],
        "liked": False,
        "likes": 0,
        "plays": 0,
        "title": track.title if track else "",
        "artist": "TheAccountsArtist",
        "lyrics": work.lyrics,
        "prompt": work.params.get("prompt", ""),
        "user_id": "user-of-the-account",
        "duration": track.song.seconds if track else 0,
        "finished": done,
        "song_path": url(work.origin, sound) if track else "",
        "created_at": clock.rfc3339(job.made_ms),
        "error_type": "MODERATION" if bad else None,
        "error_detail": "The song was stopped by a moderator." if bad else None,
        "image_path": url(work.origin, cover) if track else "",
        "video_path": None,
        "artist_image": "https://cdn.example.com/artist.png",
        "generation_id": job.id,
        "audio_conditioning_type": None if mode == "regular" else mode,
    }


def _source(call: Call, config: Object) -> Track:
    """The song that is gone on from."""
    found = call.world.shelf.get(f"udio/{(config.get('source') or {}).get('song_id')}", call.credential)
    work, place = found if isinstance(found, tuple) else (None, 0)
    if not isinstance(work, Work) or place not in work.tracks:
        raise refused("task_origin_not_exist", "task_origin_not_exist")
    return work.tracks[place]


async def _produce(call: Call, work: Work, wanted: Wanted) -> None:
    loop, world = asyncio.get_running_loop(), call.world
    for place in range(len(work.songs)):
        if place in work.bad:
            continue
        one = replace(wanted, seed=wanted.seed + place)
        track = await loop.run_in_executor(world.studio, studio.make, one)
        work.tracks[place] = track
        work.files[place] = (world.files.put(track.sound, "mp3").name, world.files.put(track.cover, "jpg").name)
    work.made.set()


async def _tell(job: Job, stage: Stage) -> None:
    if not stage.ended:
        return
    await job.data.made.wait()
    await outgoing.post(job.data.hook, encode(shown(job)), (("content-type", "application/json"),))


def _body(call: Call) -> Object:
    try:
        value: Any = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refused("the body is no JSON") from None
    if not isinstance(value, dict):
        raise refused("the body is no object")
    return value
