"""Generations of Luma: how a call makes one, how it comes about in time, and callbacks. Both faces share them."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms import luma_errors as errors
from unigate.sandbox.forms import luma_studio as studio
from unigate.sandbox.forms.luma_studio import Failed, Made, Order
from unigate.sandbox.media.files import File
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Object, encode
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of
from unigate.sandbox.serving.world import World

QUEUED, DREAMING, COMPLETED, FAILED = "queued", "dreaming", "completed", "failed"
FAILURE = Stage(name=FAILED, ended=True, error="Generation failed. Please try again.")
_TIMELINE: Timeline = (
    (0.0, Stage(name=QUEUED)),
    (0.3, Stage(name=DREAMING, progress=10)),
    (1.0, Stage(name=DREAMING, progress=50)),
    (1.8, Stage(name=COMPLETED, progress=100, ended=True)),
)
#: Words in a prompt by which a refusal is asked for, at once or later.
_BANNED, _MODERATED = "sandbox-banned", "sandbox-moderated"
#: Addresses that nothing is fetched from.
_DRAWN = re.compile(r"(?:.+\.)?(?:example\.(?:com|org|net)|example|cdn-luma\.com)")
_TRIES, _PAUSE = 3, 0.1

#: How the generation is told to a callback.
Told = Callable[["Job"], Object]


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """What belongs to a job of this vendor."""

    request: Object
    kind: str
    model: str
    origin: str
    hook: str
    told: Told
    made: asyncio.Event = field(default_factory=asyncio.Event)
    files: Made | None = None
    #: Names of the files by what they are: `video`, `image`, `last`, `marked`.
    names: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call as it was understood: an order whose files are still to be fetched."""

    order: Order
    request: Object
    model: str
    hook: str = ""
    #: Field of the order -> address.
    pictures: Mapping[str, str] = field(default_factory=dict)
    media: str = ""


def work_of(job: Job) -> Work:
    """The data of a job of this vendor."""
    assert isinstance(job.data, Work)
    return job.data


def minded(call: Call, prompt: str) -> None:
    """Refuse what the vendor does not take, and accounts without credits."""
    if _BANNED in prompt:
        raise errors.refused(errors.NOT_ALLOWED)
    if "broke" in call.credential:
        raise errors.refused("Insufficient credits", 402)


async def begin(call: Call, asked: Asked, told: Told) -> Job:
    """A generation that has just begun. Raises what faults of accepting ask for."""
    world = call.world
    origin = f"http://{call.headers.get('host', '127.0.0.1')}"
    prompt = asked.order.prompt
    order = replace(asked.order, prompt=unmarked(prompt), seed=seeds.seed(call.body) % 2**31)
    work = Work(
        request=asked.request,
        kind="image" if order.task in ("image", "reframe_image") else "video",
        model=asked.model,
        origin=origin,
        hook=asked.hook,
        told=told,
    )
    job = Job(
        id=seeds.uuid(seeds.dice(call.number, clock.monotonic_ns())),
        credential=call.credential,
        timeline=_TIMELINE,
        failed=FAILURE,
        refuse=errors.failure,
        speed=speed_of(call.body, world.options.task_speed),
        fault=call.fault,
        data=work,
    )
    job.begin()
    if job.timeline[-1][1].name == COMPLETED:  # else a fault keeps it from that
        world.jobs.keep(_produce(work, order, asked, world, moderated=_MODERATED in prompt))
    if work.hook:
        world.jobs.watch(job, _tell)
    await world.jobs.accepted(job)
    return job


def stage_of(job: Job) -> Stage:
    """Its stage: it is completed only once its files are there."""
    work, index = work_of(job), job.index()
    stage = job.timeline[index][1]
    if stage.name != COMPLETED:
        return stage
    if not work.made.is_set():
        return job.timeline[index - 1][1]
    return Stage(name=FAILED, ended=True, error=work.failure) if work.failure else stage


async def ended(job: Job, world: World, seconds: float) -> None:
    """Wait until it has ended, no longer than that."""
    stage = await world.jobs.ended(job, seconds)
    if stage.name == COMPLETED:
        async with asyncio.timeout(60):
            await work_of(job).made.wait()


async def file_of(call: Call, id: str) -> bytes:
    """The film of a generation that is completed, for another that uses it."""
    job = call.world.jobs.get(id, call.credential)
    if job is None or not isinstance(job.data, Work):
        raise errors.failure(404)
    if stage_of(job).name != COMPLETED or "video" not in job.data.names:
        raise errors.refused("Generation is not completed")
    return contents(call.world, job.data.names["video"])


def contents(world: World, name: str) -> bytes:
    """The bytes of a file that was made."""
    file = world.files.get(name.partition(".")[0])
    if file is None:
        raise errors.refused("The file has expired")
    return file.data


async def _produce(work: Work, order: Order, asked: Asked, world: World, *, moderated: bool) -> None:
    """Make the files, or find out that there are none."""
    work.failure = FAILURE.error
    try:
        if moderated:
            raise Failed(errors.MODERATED)
        order = replace(order, **{name: await _fetched(url, film=False) for name, url in asked.pictures.items()})  # type: ignore[arg-type]
        if asked.media:
            order = replace(order, media=await _fetched(asked.media, film=order.task != "reframe_image"))
        made = await asyncio.get_running_loop().run_in_executor(world.studio, studio.make, order)
        work.files, work.names = made, _kept(made, order, world)
        work.failure = ""
    except Failed as failed:
        work.failure = str(failed)
    finally:
        work.made.set()


def _kept(made: Made, order: Order, world: World) -> dict[str, str]:
    still = order.format if order.task in ("image", "reframe_image") else "jpg"
    kinds = {"video": "mp4", "image": still, "last": "jpg", "marked": "mp4"}
    found = {name: getattr(made, name) for name in kinds}
    files: dict[str, File] = {name: world.files.put(data, kinds[name]) for name, data in found.items() if data}
    return {name: file.name for name, file in files.items()}


async def _fetched(url: str, *, film: bool) -> bytes:
    parts = urlsplit(url)
    if _DRAWN.fullmatch(parts.hostname or ""):
        words = re.sub(r"[^a-z0-9]+", " ", parts.path.lower()).strip()
        return await asyncio.to_thread(studio.stand_in, words, film=film)
    try:
        return await outgoing.get(url)
    except (OSError, ValueError) as error:
        raise Failed(f"Failed to download {url[:200]}: {error}") from None


async def _tell(job: Job, stage: Stage) -> None:
    """Send the generation as it enters a stage; three tries, as the vendor makes them."""
    work = work_of(job)
    if stage.name == QUEUED or stage.progress == 50:
        return
    if stage.name == COMPLETED:
        await work.made.wait()
    body = encode(work.told(job))
    for _ in range(_TRIES):
        try:
            if await outgoing.post(work.hook, body, (("content-type", "application/json"),)) < 300:
                return
        except (OSError, ValueError):
            pass
        await asyncio.sleep(_PAUSE)
