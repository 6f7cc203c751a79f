"""Makes the pictures of Midjourney tasks when they are first looked at, and keeps them as files."""

import asyncio

from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms.midjourney_paint import Recipe, paint, shoot
from unigate.sandbox.forms.midjourney_work import Work, work_of
from unigate.sandbox.media import draw
from unigate.sandbox.serving.jobs import Job
from unigate.sandbox.serving.world import World


async def finished(world: World, job: Job) -> None:
    """Make the picture of a task that is to be gone on from."""
    work = work_of(job)
    if work.recipe is not None:
        async with work.lock:
            await _finish(world, work)


async def painted(world: World, job: Job, index: int) -> None:
    """Make the picture that the task shows at that stage, where it is not there yet."""
    work, stage = work_of(job), job.timeline[index][1]
    if work.recipe is None or not stage.progress or stage.name not in ("IN_PROGRESS", "SUCCESS"):
        return
    if work.recipe.kind == "given" and stage.name != "SUCCESS":
        return
    async with work.lock:
        known = work.files.get(stage.progress, "").partition(".")[0]
        if known and world.files.get(known) is not None:
            return
        final = await _finish(world, work)
        if stage.progress < 100:
            data = await asyncio.to_thread(_preview, final, stage.progress / 100)
            work.files[stage.progress] = world.files.put(data, "webp").name


def _preview(data: bytes, share: float) -> bytes:
    return draw.encode(draw.blurred(draw.decode(data), share), "webp", 60)


async def _finish(world: World, work: Work) -> bytes:
    """The finished picture as a file; made where it is not there, or no longer. The work's lock is held."""
    recipe = work.recipe
    assert recipe is not None
    file = world.files.get(work.files.get(100, "").partition(".")[0])
    if file is not None:
        return file.data
    base = None
    if work.base is not None:
        former = work_of(work.base)
        async with former.lock:
            base = await _finish(world, former)
    data, kind, work.size, films = await asyncio.to_thread(_all, recipe, base)
    work.films = tuple(world.files.put(film, "mp4").name for film in films)
    work.files[100] = world.files.put(data, kind).name
    return data


def _all(recipe: Recipe, base: bytes | None) -> tuple[bytes, str, tuple[int, int], list[bytes]]:
    """File, kind and size of the picture, and the films that begin with it."""
    image = paint(recipe, None if base is None else draw.decode(base))
    films = shoot(recipe, image) if recipe.films else []
    if recipe.kind == "given" and not recipe.films:
        return recipe.given[0], inputs.kind_of(recipe.given[0]), image.size, films
    return draw.encode(image, "png"), "png", image.size, films
