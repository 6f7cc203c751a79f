"""The mover as a process: one of them at a time, in idle time, and at normal priority when it lags."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from billing_cases import LARGE, House, calls, fund
from billing_seen import charged

from support.waiting import wait_until
from unigate import mover as mover_module
from unigate.billing.check import check


async def test_two_movers_of_one_node(house: House) -> None:
    house.folder.mkdir()
    first = mover_module.lock(house.folder)
    assert first is not None
    assert mover_module.lock(house.folder) is None
    os.close(first)
    again = mover_module.lock(house.folder)
    assert again is not None
    os.close(again)


PROCESS = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from billing_cases import QUICK
from unigate import mover

def alarm(kind, text):
    print("ALARM", kind, text, flush=True)

lock = mover.lock

def tried(folder):
    got = lock(folder)
    print("WAITS" if got is None else "WORKS", flush=True)
    mover.lock = lock
    return got

mover.lock = tried
if "OVER" == sys.argv[2].split("|")[1]:
    mover._Pair._idle = lambda self: self._stop.wait()
mover.main(sys.argv[1], Path(sys.argv[2].split("|")[0]), "node-1", terms=replace(QUICK, lag=0.2), alarm=alarm)
print("ENDED", flush=True)
"""


def started(url: str, folder: Path, how: str) -> "subprocess.Popen[str]":
    here = Path(__file__).parent
    command = [sys.executable, "-W", "ignore", "-c", PROCESS, url, f"{folder}|{how}", str(here), str(here.parent)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", ["BOTH", "OVER"])
async def test_the_process(database_url: str, house: House, how: str) -> None:
    """It moves, also when its idle thread never runs; a second one waits; told to stop it moves to the end."""
    await fund(house.database, LARGE)
    house.folder.mkdir()
    process = started(database_url, house.folder, how)
    assert process.stdout is not None
    assert process.stdout.readline() == "WORKS\n"
    second = started(database_url, house.folder, how)
    assert second.stdout is not None
    assert second.stdout.readline() == "WAITS\n"
    try:
        async with house.open() as bank:
            await calls(bank, 30)
            for _ in range(1000):
                if len(await charged(house.database)) == 30:
                    break
                await asyncio.sleep(0.02)
            await calls(bank, 60)
        for one in (process, second):
            one.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None and second.poll() is not None, seconds=20)
        assert [out.read() for out in (process.stdout, second.stdout)] == ["ENDED\n", "ENDED\n"]
    finally:
        for one in (process, second):
            if one.poll() is None:
                one.kill()
            one.communicate()
    assert len(await charged(house.database)) == 60
    report = await check(house.database)
    assert report.findings == ()
    assert report.held == 0
    assert list(house.folder.glob("*.journal")) == []


async def test_idle_time_only() -> None:
    """The idle thread asks for no more than idle time, and those that it starts neither."""
    if not hasattr(os, "SCHED_IDLE"):
        pytest.skip("this system has no such class")
    loop = asyncio.get_running_loop()

    def policy() -> int:
        mover_module._only_when_idle()
        return os.sched_getscheduler(0)

    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    with ThreadPoolExecutor(1) as pool:
        assert await loop.run_in_executor(pool, policy) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) != os.SCHED_IDLE
