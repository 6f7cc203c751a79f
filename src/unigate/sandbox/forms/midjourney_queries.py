"""Midjourney's queries: a task, several, the newest, those that wait; seeds, cancelling, and the server's accounts."""

from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms.midjourney_jobs import view
from unigate.sandbox.forms.midjourney_pool import ACCOUNTS, pool_of
from unigate.sandbox.forms.midjourney_work import (
    ACCEPTED,
    CANCELED,
    INVALID,
    NOT_FOUND,
    Work,
    submitted,
    work_of,
)
from unigate.sandbox.serving.answer import Answer, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

#: How many tasks a list shows.
_NEWEST = 100


async def fetch(call: Call) -> Answer:
    """A task; `null` where there is none."""
    job = _mine(call.world.jobs.poll(call.params["id"], call.credential, call.fault))
    return Whole(payload=None if job is None else await view(call, job))


async def by_ids(call: Call) -> Answer:
    """Several tasks; unknown ones are left out."""
    ids = inputs.json_of(call.body).get("ids") or []
    wanted = [str(one) for one in ids] if isinstance(ids, list) else []
    found = [_mine(call.world.jobs.poll(one, call.credential, call.fault)) for one in dict.fromkeys(wanted)]
    return Whole(payload=[await view(call, job) for job in found if job is not None])


async def newest(call: Call) -> Answer:
    """The newest tasks of the caller."""
    jobs = [job for job in call.world.jobs.of(call.credential) if isinstance(job.data, Work)]
    return Whole(payload=[await view(call, job) for job in jobs[:_NEWEST]])


async def queue(call: Call) -> Answer:
    """The tasks that wait for a place."""
    pool = pool_of(call.world, call.credential)
    waiting = [job for account in ACCOUNTS for job in pool.queue(account).waiting()]
    return Whole(payload=[await view(call, job) for job in waiting])


async def seed(call: Call) -> Answer:
    """The seed of a finished picture, which the account asks for by private message."""
    job = _mine(call.world.jobs.get(call.params["id"], call.credential))
    if job is None:
        return submitted(NOT_FOUND, "关联任务不存在或已失效")
    work = work_of(job)
    if job.stage().name != "SUCCESS":
        return submitted(INVALID, "关联任务状态错误")
    niji = work.bot == "NIJI_JOURNEY"
    if not (work.account.niji_private if niji else work.account.private):
        return submitted(INVALID, f"请先设置账号的{'Niji' if niji else 'MJ'}私信频道ID")
    return submitted(ACCEPTED, "成功", str(work.seed))


async def cancel(call: Call) -> Answer:
    """End a task that has not ended."""
    job = _mine(call.world.jobs.get(call.params["id"], call.credential))
    if job is None:
        return submitted(NOT_FOUND, "关联任务不存在或已失效")
    if job.stage().ended:
        return submitted(INVALID, "关联任务状态错误")
    job.end(CANCELED)
    return submitted(ACCEPTED, "成功", job.id)


async def accounts(call: Call) -> Answer:
    """The server's accounts, as the caller sees them."""
    pool = pool_of(call.world, call.credential)
    return Whole(payload=[pool.shown(account) for account in ACCOUNTS])


def _mine(job: Job | None) -> Job | None:
    """The job, unless another face made it."""
    return job if job is not None and isinstance(job.data, Work) else None
