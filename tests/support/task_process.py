"""A process that makes and follows tasks until it comes by a named point, where it is killed as hard as can be.

`python task_process.py DATABASE FOLDER VENDOR KIND PLACE`: PLACE is `name:n`, the n-th time that it comes by. It submits
ORDERS orders, the second half of them at once, and says of each one that was taken which task it became.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.task_rig import Rig
from support.task_vendor import Vendor
from unigate.spec.task import ALLOTTED
from unigate.store.open import connect

ORDERS = 6


def order(number: int) -> dict[str, Any]:
    """An order that makes two tunes, of which one has an allotted id."""
    return {
        "number": number,
        "steps": 2,
        "tunes": [f"a-{number}", f"b-{number}"],
        "draft_input": {ALLOTTED: [f"o-{number}"]},
    }


class Deadly:
    """A failpoint that kills its process."""

    def __init__(self, place: str) -> None:
        self._name, _, count = place.partition(":")
        self._left = int(count)

    def __call__(self, name: str) -> None:
        """Come by."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, folder: str, vendor: str, kind: str, place: str) -> None:
    """Submit, follow, and die; who never dies ends by itself, in order."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # its output is what it says of orders
    rig = Rig(connect(url), Path(folder), Vendor(url=vendor))
    node = await rig.node(failpoint=Deadly(place))

    async def submit(number: int) -> None:
        task = await node.submit(kind, headers={"idempotency_key": f"order-{number}"}, **order(number))
        line = json.dumps({"order": number, "task": task.id}) + "\n"
        os.write(1, line.encode())  # at once, so that a kill leaves no half of it

    for number in range(ORDERS // 2):
        await submit(number)
    await asyncio.gather(*(submit(number) for number in range(ORDERS // 2, ORDERS)))
    await rig.settled()
    await node.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
