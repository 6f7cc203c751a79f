"""A process that copies files until it is killed: `python copying_child.py DATABASE FOLDER LEASE`."""

import asyncio
import sys
from pathlib import Path

from unigate.store.objects import Storages
from unigate.store.open import connect
from unigate.tasks.copying import Copier
from unigate.upstream import Client


async def main(url: str, folder: str, lease: str) -> None:
    """Copy, with a lease of so many seconds."""
    storages = Storages("file:///assets", data=Path(folder), aws={})
    copier = Copier(connect(url), Client(), storages, lease=float(lease), look=0.05)
    print("ready", flush=True)  # noqa: T201 - the test reads it
    await copier.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
