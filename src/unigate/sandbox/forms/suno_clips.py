"""A clip of Suno: a song with its files, made when it is first looked at, and how it is shown on the wire.

The format is the one of the open Suno-API servers (github.com/Suno-API/Suno-API) and of the relays after them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from unigate.base import clock
from unigate.base.clock import Seconds
from unigate.sandbox.media import draw, music_ear, sleeve, voice, waves
from unigate.sandbox.media.files import url
from unigate.sandbox.media.music import Song, Sung
from unigate.sandbox.media.music_edit import uploaded
from unigate.sandbox.media.music_score import Note
from unigate.sandbox.media.music_style import Style
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.world import World

#: Model -> version.
MODELS = {
    "chirp-v3-0": "v3",
    "chirp-v3-5": "v3.5",
    "chirp-v4": "v4",
    "chirp-auk-turbo": "v4.5-all",
    "chirp-auk": "v4.5",
    "chirp-bluejay": "v4.5+",
    "chirp-crow": "v5",
    "chirp-fenix": "v5.5",
}
_SMALL, _LARGE = 256, 512
_HEIGHTS = 200


@dataclass(slots=True, kw_only=True, eq=False)
class Clip:
    """One song of an account."""

    id: str
    title: str = ""
    tags: str = ""
    lyrics: str = ""
    #: The idea that it was made from.
    idea: str | None = None
    #: `gen`, `concat`, `upload` or `gen_stem`.
    kind: str = "gen"
    model: str = "chirp-v4"
    #: More members of `metadata`.
    more: Object = field(default_factory=dict)
    #: Makes its sound, the same each time. It blocks.
    make: Callable[[], Song]
    #: Why there is no sound: Suno's word for it, and a text.
    error: tuple[str, str] | None = None
    made_ms: int = field(default_factory=clock.now_ms)
    #: The task that makes it.
    task: str = ""
    #: Whether it is done, so that others may work on it.
    ready: Callable[[], bool] = bool
    #: Kind (`mp3`, `png`, `large`, `wav`, `mp4`) -> name of the file.
    files: dict[str, str] = field(default_factory=dict)
    #: When a file that takes time was first asked for.
    asked: dict[str, Seconds] = field(default_factory=dict)
    #: Found out when it was made.
    seconds: float = 0.0
    words: tuple[Sung, ...] = ()
    notes: tuple[Note, ...] = ()
    heights: tuple[float, ...] = ()
    style: Style | None = None
    #: Names of its tracks.
    stems: tuple[str, ...] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def seed(self) -> int:
        """What its picture depends on."""
        return int(self.id[:8], 16)


def sound_of(world: World, name: str) -> Song:
    """An uploaded file as a song; ValueError where it is no longer there, or no sound."""
    file = world.files.get(name.partition(".")[0])
    if file is None:
        raise ValueError("the file is no longer there")
    return uploaded(music_ear.decoded(file.data))


def _there(world: World, clip: Clip, kind: str) -> bool:
    return world.files.get(clip.files.get(kind, "").partition(".")[0]) is not None


async def ensure(world: World, clip: Clip, kind: str = "mp3") -> None:
    """Make the clip's sound and pictures, or its `wav` or `mp4`, unless they are there."""
    async with clip.lock:
        if clip.error is not None or _there(world, clip, kind):
            return
        try:
            made = await asyncio.get_running_loop().run_in_executor(world.studio, _produced, clip, kind)
        except ValueError as error:
            clip.error = ("model_error", str(error))
            return
        for name, (data, ending) in made.items():
            clip.files[name] = world.files.put(data, ending).name


def _produced(clip: Clip, kind: str) -> dict[str, tuple[bytes, str]]:
    """Files of a clip: name -> bytes and ending."""
    song = clip.make()
    samples = song.samples()
    if kind == "wav":
        return {"wav": (voice.encode(waves.packed(samples), "wav", clip.lyrics), "wav")}
    picture = sleeve.cover(clip.title or clip.tags, _LARGE, seed=clip.seed)
    if kind == "mp4":
        return {"mp4": (sleeve.film(picture, samples), "mp4")}
    clip.seconds, clip.words, clip.notes = song.seconds, song.words, song.notes
    clip.stems, clip.style = tuple(song.stems), song.style
    clip.heights = tuple(round(one, 3) for one in sleeve.waveform(samples, _HEIGHTS))
    return {
        "mp3": (voice.encode(waves.packed(samples), "mp3", clip.lyrics), "mp3"),
        "large": (draw.encode(picture, "png"), "png"),
        "png": (draw.encode(picture.resize((_SMALL, _SMALL)), "png"), "png"),
    }


def pictured(clip: Clip) -> bytes:
    """The small cover of a clip, as a PNG."""
    return draw.encode(sleeve.cover(clip.title or clip.tags, _SMALL, seed=clip.seed), "png")


def shown(clip: Clip, status: str, origin: str) -> Object:
    """The clip as it is at a status (`submitted`, `queued`, `streaming`, `complete`, `error`)."""
    heard = status in ("streaming", "complete")
    addresses = {name: url(origin, file) if heard else "" for name, file in clip.files.items()}
    done = status == "complete"
    return {
        "id": clip.id,
        "clip_id": clip.id,
        "entity_type": "song_schema",
        "title": clip.title,
        "handle": "sandbox",
        "status": status,
        "user_id": "sandbox-user",
        "is_liked": False,
        "metadata": _metadata(clip, done=done),
        "reaction": None,
        "audio_url": addresses.get("mp3", ""),
        "image_url": addresses.get("png", ""),
        "is_public": False,
        "video_url": addresses.get("mp4", ""),
        "created_at": datetime.fromtimestamp(clip.made_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "is_trashed": False,
        "model_name": clip.model,
        "play_count": 0,
        "display_name": "sandbox",
        "upvote_count": 0,
        "image_large_url": addresses.get("large", ""),
        "is_video_pending": False,
        "is_handle_updated": True,
        "major_model_version": MODELS.get(clip.model.removesuffix("-tau"), "v4"),
        "duration": round(clip.seconds, 2) if done else None,
    }


def _metadata(clip: Clip, *, done: bool) -> Object:
    error = clip.error or (None, None)
    return {
        "tags": clip.tags,
        "type": clip.kind,
        "prompt": clip.lyrics,
        "stream": True,
        "history": None,
        "duration": round(clip.seconds, 2) if done else None,
        "error_type": error[0],
        "error_message": error[1],
        "concat_history": None,
        "refund_credits": clip.error is not None,
        "audio_prompt_id": None,
        "gpt_description_prompt": clip.idea,
        **clip.more,
    }
