"""A process with a bank of its own (or a mover), for tests that kill and stop processes.

Told by one JSON argument what to be; speaks one JSON value per line. A failpoint "name:n" kills it, as hard as can be, at
the n-th time that it comes by.
"""

import asyncio
import json
import os
import select
import signal
import socket
import sys
import traceback
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


def main(what: str) -> None:
    """What the argument says."""
    told = json.loads(what)
    if told["be"] == "mover":
        terms = replace(QUICK, **told.get("terms", {}))
        failpoint = Failpoint(told.get("failpoint", ""))
        mover.main(told["url"], Path(told["folder"]), "node-1", terms=terms, alarm=alarm, failpoint=failpoint)
        say(closed=True)
    else:
        asyncio.run(work(told))


def nursery(path: str) -> None:
    """Fork children on demand, until our input ends: everything is imported once, so that each starts in no time.

    A connection brings the argument and the files for a child's input and output; it is told the child's process id,
    and in the end its wait status.
    """
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(16)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(ended, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.write(1, b"ready\n")
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([server.fileno(), ended, 0], [], [])
        if 0 in ready:
            return
        if ended in ready:
            os.read(ended, 4096)
            while children:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                connection = children.pop(pid)
                connection.send(f"{status}\n".encode())
                connection.close()
        if server.fileno() in ready:
            connection, _ = server.accept()
            what, files, _, _ = socket.recv_fds(connection, 1 << 16, 2)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _grow_up(what.decode(), files, [server.fileno(), ended, wake, connection.fileno()])
            connection.send(f"{pid}\n".encode())
            children[pid] = connection
            for file in files:
                os.close(file)


def _grow_up(what: str, files: list[int], others: list[int]) -> None:
    """Be the child."""
    try:
        for place, file in enumerate(files):
            os.dup2(file, place)
        for file in (*files, *others):
            os.close(file)
        main(what)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the nursery's own may run on
        traceback.print_exc()
        os._exit(1)
