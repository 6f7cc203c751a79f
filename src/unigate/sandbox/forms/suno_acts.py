"""What Suno answers at once of a clip: timing, other files, tracks, notes; and personas and styles."""

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_clips import Clip, ensure, shown
from unigate.sandbox.forms.suno_parts import HALVES, stem
from unigate.sandbox.forms.suno_tasks import origin_of
from unigate.sandbox.media.files import url
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call

#: Seconds until a file that was asked for is there.
_WAIT = 2.0
#: Notes that are shown as MIDI.
_NOTES = 64
#: Seconds by which a stretch may end behind its clip.
_ROUNDED = 0.01


async def _clip(call: Call) -> Clip:
    return await inputs.clip_of(call, call.params["id"], "task_not_exist")


def _due(call: Call, clip: Clip, what: str) -> bool:
    """Whether something that was asked for is there by now."""
    first = clip.asked.setdefault(what, clock.monotonic())
    return (clock.monotonic() - first) * call.world.options.task_speed >= _WAIT


async def timing(call: Call) -> Answer:
    """Each word with its place; the first of a section has the heading before it."""
    clip = await _clip(call)
    words = await aligned(call, clip)
    return Whole(
        payload={"aligned_words": words, "waveform_data": clip.heights, "hoot_cer": 0.12, "is_streamed": False}
    )


async def aligned(call: Call, clip: Clip) -> list[Object]:
    """When each word of a clip is sung."""
    await ensure(call.world, clip)
    return [
        {
            "word": f"[{word.heading}]\n{word.word} " if word.heading else f"{word.word} ",
            "success": True,
            "start_s": round(word.start, 3),
            "end_s": round(word.end, 3),
            "p_align": 0.98,
        }
        for word in clip.words
    ]


async def wav(call: Call) -> Answer:
    """The address of the wav; nothing while it is made."""
    clip = await _clip(call)
    return await wav_now(call) if _due(call, clip, "wav") else Whole(payload={})


async def wav_now(call: Call) -> Answer:
    """The address of the wav, however long that takes."""
    clip = await _clip(call)
    await ensure(call.world, clip, "wav")
    return Whole(payload={"wav_file_url": url(origin_of(call), clip.files["wav"])})


async def mp4(call: Call) -> Answer:
    """The address of a film of the cover, under all names that clients read."""
    clip = await _clip(call)
    await ensure(call.world, clip, "mp4")
    address = url(origin_of(call), clip.files["mp4"])
    return Whole(payload={"video_url": address, "mp4_file_url": address, "mp4": address})


async def midi(call: Call) -> Answer:
    """The notes of the leading line."""
    clip = await _clip(call)
    await ensure(call.world, clip)
    return await midi_now(call) if _due(call, clip, "midi") else Whole(payload={"state": "running"})


async def midi_now(call: Call) -> Answer:
    """The notes, however long that takes."""
    clip = await _clip(call)
    await ensure(call.world, clip)
    notes = [
        {
            "pitch": note.key,
            "start": round(note.start / RATE, 3),
            "end": round((note.start + note.length) / RATE, 3),
            "velocity": 0.8,
        }
        for note in clip.notes[:_NOTES]
    ]
    return Whole(payload={"state": "complete", "instruments": [{"name": "Lead", "notes": notes}]})


async def stems(call: Call) -> Answer:
    """The two tracks of a clip, the former way."""
    clip = await _clip(call)
    await ensure(call.world, clip)
    made = []
    for name in HALVES:
        id = seeds.uuid(seeds.dice(clip.id, name, "stem"))
        part = call.world.shelf.get(f"suno/clip/{id}", call.credential)
        if not isinstance(part, Clip):
            part = stem(clip, name, clip.title).clip(id)
            part.ready = lambda: True
            call.world.shelf.put(f"suno/clip/{id}", call.credential, part)
        made.append(part)
    if not _due(call, clip, "stems"):
        return Whole(payload={"id": clip.id, "status": "processing", "clips": []})
    for part in made:
        await ensure(call.world, part)
    told = [shown(part, "complete", origin_of(call)) for part in made]
    return Whole(payload={"id": clip.id, "status": "complete", "clips": told})


async def persona(call: Call) -> Answer:
    """A singer out of a clip that Suno made."""
    body = inputs.body_of(call)
    name = inputs.text(body, "name", 80)
    if not name:
        raise inputs.invalid("name is empty")
    clip = await inputs.clip_of(call, inputs.text(body, "root_clip_id"))
    if clip.kind == "upload":
        raise inputs.invalid("the root clip of a persona must be a generated one")
    await ensure(call.world, clip)
    (id,) = tasks.new_ids(call, 1)
    call.world.shelf.put(f"suno/persona/{id}", call.credential, clip.id)
    told: Object = {
        "id": id,
        "name": name,
        "description": inputs.text(body, "description"),
        "image_s3_id": url(origin_of(call), clip.files.get("png", "")),
        "root_clip_id": clip.id,
        "clip": shown(clip, "complete", origin_of(call)),
        "user_display_name": "sandbox",
        "user_handle": "sandbox",
        "user_image_url": "",
        "persona_clips": [{"clip": shown(clip, "complete", origin_of(call))}],
        "is_suno_persona": False,
        "is_trashed": False,
        "is_owned": True,
        "is_public": body.get("is_public", True) is True,
    }
    return Whole(payload={**told, "code": "success", "message": "", "data": {"id": id}})


async def vox(call: Call) -> Answer:
    """What is sung in a stretch of a clip, to be named by an id."""
    clip = await _clip(call)
    body = inputs.body_of(call)
    start, end = (inputs.seconds(body, name) for name in ("vocal_start_s", "vocal_end_s"))
    if start is None or end is None or not start < end <= clip.seconds + _ROUNDED:
        raise inputs.invalid("vocal_start_s and vocal_end_s must be a stretch of the clip")
    (id,) = tasks.new_ids(call, 1)
    return Whole(payload={"id": id})


async def tags(call: Call) -> Answer:
    """Styles in more words."""
    body = inputs.body_of(call)
    given = inputs.text(body, "original_tags", 1000)
    more = written(given, call.number).tags
    return Whole(payload={"upsampled_tags": f"{given}, {more}".strip(", "), "request_id": f"sandbox-{call.number:08d}"})
