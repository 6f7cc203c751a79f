"""A process with a bank of its own (or a mover), for tests that kill and stop processes.

Told by one JSON argument what to be; speaks one JSON value per line. A failpoint "name:n" kills it, as hard as can be, at
the n-th time that it comes by.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from billing_cases import QUICK, key, settle

from unigate import mover
from unigate.base.errors import GatewayError
from unigate.billing.bank import Bank
from unigate.store.open import connect


def say(**what: object) -> None:
    """Tell the parent; in one write, so that a kill leaves no half of it."""
    os.write(1, (json.dumps(what) + "\n").encode())


class Failpoint:
    """Kills this process at the n-th passing of a named point."""

    def __init__(self, place: str) -> None:
        self._name, _, count = place.partition(":")
        self._left = int(count or 1)

    def __call__(self, name: str) -> None:
        """Come by."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def alarm(kind: str, text: str) -> None:
    """Tell the parent of a complaint."""
    say(alarm=kind, text=text)


async def call(bank: Bank, cost: int, id: str, wait: float) -> str:
    """One call; how it ended."""
    mine = key()
    try:
        hold = bank.hold(mine, cost) or await bank.hold_slow(mine, cost, cost)
    except GatewayError as error:
        return str(error.status)
    say(sent=id)
    await asyncio.sleep(wait)
    kept = await settle(hold, cost, id=id)
    if kept:
        say(kept=id)
    return "ok" if kept else "lost"


async def work(told: dict[str, Any]) -> None:
    """Be a bank: lease if told to, and make calls when told to."""
    terms = replace(QUICK, **told.get("terms", {}))
    database = connect(told["url"])
    failpoint = Failpoint(told.get("failpoint", ""))
    bank = Bank(database, Path(told["folder"]), "node-1", alarm=alarm, terms=terms, failpoint=failpoint)
    await bank.start()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(ready=bank.process_id)
    while line := await reader.readline():
        order = json.loads(line)
        if order["do"] == "lease":
            (await bank.hold_slow(key(), order["cost"], order["cost"])).release()
            say(leased=bank.leases[key().id].free)
        elif order["do"] == "calls":
            wait = order.get("wait", 0)
            names = [f"{order['name']}_{number}" for number in range(order["count"])]
            every = []
            for start in range(0, len(names), order.get("at_once", len(names))):
                part = names[start : start + order.get("at_once", len(names))]
                every += await asyncio.gather(*(call(bank, order["cost"], name, wait) for name in part))
            say(ended=dict(Counter(every)))
    await bank.close()
    await database.close()
    say(closed=True)


def main() -> None:
    """What the argument says."""
    told = json.loads(sys.argv[1])
    if told["be"] == "mover":
        terms = replace(QUICK, **told.get("terms", {}))
        failpoint = Failpoint(told.get("failpoint", ""))
        mover.main(told["url"], Path(told["folder"]), "node-1", terms=terms, alarm=alarm, failpoint=failpoint)
        say(closed=True)
    else:
        asyncio.run(work(told))


if __name__ == "__main__":
    main()
