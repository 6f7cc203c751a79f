"""What each scene of `submit/music` makes: clips whose sound is composed, continued, covered, replaced or divided."""

from collections.abc import Awaitable, Callable
from functools import partial

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.lyrics import Lyrics, written
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms.suno_inputs import Asked
from unigate.sandbox.forms.suno_parts import Take, stems
from unigate.sandbox.media.music import Song, compose
from unigate.sandbox.media.music_cover import cover
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

#: The shortest stretch that is replaced, in seconds.
_STRETCH = 1.0


_Scene = Callable[[Call, Object, Asked, int], Awaitable[Take]]


async def takes(call: Call, body: Object, asked: Asked) -> list[Take]:
    """The clips of a call, two for most; refuses what does not fit."""
    if asked.task == "gen_stem":
        source = await inputs.clip_of(call, inputs.text(body, "continue_clip_id"))
        return stems(source, inputs.text(body, "stem_task"), asked.title or source.title)
    scenes: dict[str, _Scene] = {
        "": _fresh,
        "extend": _extend,
        "upload_extend": _extend,
        "cover": _cover,
        "infill": _infill,
        "artist_consistency": _persona,
    }
    scene = scenes[asked.task]
    return [await scene(call, body, asked, number) for number in range(2)]


def _written(asked: Asked, number: int) -> Lyrics:
    """Title, tags and lyrics: the caller's, or for an idea Suno's own."""
    if not asked.idea:
        return Lyrics(title=asked.title, tags=asked.tags, text="" if asked.instrumental else asked.lyrics)
    made = written(asked.idea, number)
    return Lyrics(
        title=asked.title or made.title,
        tags=asked.tags or made.tags,
        text="[Instrumental]" if asked.instrumental else made.text,
    )


def _seed(call: Call, number: int) -> int:
    return seeds.seed(call.credential, call.number, number)


async def _fresh(call: Call, _body: Object, asked: Asked, number: int) -> Take:
    """A song out of an idea, or of lyrics and tags."""
    text = _written(asked, number)
    return _take(asked, text, partial(_composed, asked, text, _seed(call, number), asked.gender), {})


def _composed(asked: Asked, text: Lyrics, seed: int, gender: str) -> Song:
    return compose(
        asked.idea or asked.title or asked.lyrics,
        text.tags,
        text.text,
        seed=seed,
        instrumental=asked.instrumental,
        avoid=asked.avoid,
        gender=gender,
    )


def _take(asked: Asked, text: Lyrics, make: Callable[[], Song], more: Object) -> Take:
    avoided = {"negative_tags": asked.avoid} if asked.avoid else {}
    return Take(
        make=make,
        title=text.title,
        tags=text.tags,
        lyrics=text.text,
        model=asked.model,
        idea=asked.idea or None,
        more={**avoided, "make_instrumental": asked.instrumental, "task": asked.task or None, **more},
    )


async def _extend(call: Call, body: Object, asked: Asked, number: int) -> Take:
    """What follows a clip from a moment on, in its key and tempo; the whole comes of joining both."""
    source = await inputs.clip_of(call, inputs.text(body, "continue_clip_id"))
    at = inputs.seconds(body, "continue_at") or source.seconds
    if not 0 < at <= source.seconds + 0.01:
        raise inputs.invalid(f"continue_at {at:g} lies outside the clip, which has {source.seconds:.2f} s")
    text, seed = _written(asked, number), _seed(call, number)

    make = partial(
        compose,
        source.title,
        text.tags or source.tags,
        text.text,
        seed=seed,
        instrumental=asked.instrumental,
        avoid=asked.avoid,
        gender=asked.gender,
        like=source.style,
    )
    history = [{"id": source.id, "continue_at": at, "type": source.kind, "source": "web", "infill": False}]
    return _take(asked, text, make, {"history": history, "audio_prompt_id": source.id})


async def _cover(call: Call, body: Object, asked: Asked, number: int) -> Take:
    source = await inputs.clip_of(call, inputs.text(body, "cover_clip_id"))
    text = _written(asked, number)

    def make() -> Song:
        """The source's melody in another style; of two takes one is high and one is low."""
        return cover(
            source.make(),
            asked.title or source.title,
            text.tags,
            text.text,
            instrumental=asked.instrumental,
            avoid=asked.avoid,
            gender=asked.gender or "fm"[number],
        )

    return _take(asked, text, make, {"cover_clip_id": source.id, "is_remix": True})


async def _infill(call: Call, body: Object, asked: Asked, number: int) -> Take:
    """A new stretch for a clip, as long as what it replaces, in its key and tempo."""
    source = await inputs.clip_of(call, inputs.text(body, "continue_clip_id"))
    start, end = inputs.seconds(body, "infill_start_s"), inputs.seconds(body, "infill_end_s")
    if start is None or end is None or not start + _STRETCH <= end <= source.seconds + 0.01:
        raise inputs.invalid("infill_start_s and infill_end_s must be a stretch of the clip")
    text, seed, length = _written(asked, number), _seed(call, number), min(end, source.seconds) - start
    make = partial(
        compose, source.title, text.tags or source.tags, text.text, seconds=length, seed=seed, like=source.style
    )
    history = [{"id": source.id, "infill": True, "infill_start_s": start, "infill_end_s": end, "type": source.kind}]
    return _take(asked, text, make, {"history": history, "infill": True, "audio_prompt_id": source.id})


async def _persona(call: Call, body: Object, asked: Asked, number: int) -> Take:
    """A song in the voice of a persona, which is as high as its root's."""
    persona = call.world.shelf.get(f"suno/persona/{inputs.text(body, 'persona_id')}", call.credential)
    if not isinstance(persona, str):
        raise inputs.invalid("the persona does not exist", "task_origin_not_exist")
    root = await inputs.clip_of(call, inputs.text(body, "artist_clip_id") or persona)
    if root.id != persona:
        raise inputs.invalid("artist_clip_id is not the persona's root clip")
    text, seed = _written(asked, number), _seed(call, number)
    gender = asked.gender or ("f" if root.style is None or root.style.high else "m")
    make = partial(_composed, asked, text, seed, gender)
    return _take(asked, text, make, {"persona_id": inputs.text(body, "persona_id"), "artist_clip_id": root.id})
