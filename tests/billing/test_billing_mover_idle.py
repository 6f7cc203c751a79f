"""The mover's idle thread: it takes the database only while it has a processor to run on; what it leaves, the other does."""

import os
import threading
from dataclasses import replace

import pytest
from billing_cases import LARGE, QUICK, House, calls, fund
from billing_seen import charged

from support.waiting import until
from unigate import mover as mover_module
from unigate.mover import _has_processor, _Pair


@pytest.mark.parametrize(("away", "has"), [(0.0001, True), (0.001, False)], ids=["at once", "late"])
def test_who_comes_back_late_has_no_processor(monkeypatch: pytest.MonkeyPatch, away: float, has: bool) -> None:
    """Ten times it gives way to others; the time that they take tells. The clock here is the test's own."""
    now = [100.0]

    def give_way() -> None:
        now[0] += away

    monkeypatch.setattr(os, "sched_yield", give_way)
    monkeypatch.setattr(mover_module, "monotonic", lambda: now[0])
    assert _has_processor() is has
    assert now[0] > 100.0, "it gave way"


@pytest.mark.parametrize("given", [True, False], ids=["a processor", "none"])
async def test_what_it_may_not_do_the_other_thread_does(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    """Without a processor the idle thread makes no step at all; the records are moved once they lag."""
    monkeypatch.setattr(mover_module, "_only_when_idle", lambda: None)  # tests have other things to wait for
    monkeypatch.setattr(mover_module, "_has_processor", lambda: given)
    await fund(house.database, LARGE)
    terms = replace(QUICK, lag=3600.0 if given else 0.3)
    mover, stop, steppers = house.mover(terms), threading.Event(), set[str]()
    step = mover.step

    async def seen(*args: object, **more: object) -> int:
        steppers.add("idle" if threading.current_thread().name == "unigate-mover-idle" else "other")
        return await step(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(mover, "step", seen)
    pair = threading.Thread(target=_Pair(mover, database_url, terms, house.alarm, stop).run)
    async with house.open(terms) as bank:
        await calls(bank, 20)
        pair.start()
        try:
            found: list[object] = []
            while len(found) < 20:
                await until(lambda: steppers, seconds=60, what="a step")
                found = list(await charged(house.database))
        finally:
            stop.set()
            pair.join(60)
    assert steppers == ({"idle"} if given else {"other"})
    assert not pair.is_alive() and not house.alarms
    mover.close()
