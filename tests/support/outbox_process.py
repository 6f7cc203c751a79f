"""A process that delivers messages of a database until it is killed: `python outbox_process.py DATABASE LEASE_SECONDS`."""

import asyncio
import sys

from unigate.access.secrets import Vault
from unigate.base.live_settings import NotifySettings
from unigate.store.open import connect
from unigate.tasks.outbox import Outbox
from unigate.tasks.sending import LIMITS
from unigate.tasks.signing import Secrets
from unigate.upstream import Client


async def main(url: str, lease: float) -> None:
    """Deliver for ever, with short pauses, to addresses of this machine."""
    terms = NotifySettings(
        allow_private_targets=True, tries=(0.0, *[0.2] * 7), lease_seconds=lease, at_once=16, per_host=8
    )
    secrets = Secrets(gateway=("s",), unseal=Vault("s").open)
    outbox = Outbox(connect(url), Client(LIMITS), secrets, lambda: terms)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    await outbox.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
