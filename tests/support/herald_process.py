"""A process that tells and delivers news of a database until it is killed: `python herald_process.py DATABASE LEASE_SECONDS`."""

import asyncio
import sys

from unigate.access.secrets import Vault
from unigate.base.live_settings import LiveSettings, NotifySettings
from unigate.store.open import connect
from unigate.tasks.herald import Herald
from unigate.tasks.outbox import Outbox
from unigate.tasks.sending import LIMITS
from unigate.tasks.signing import Secrets
from unigate.upstream import Client

SECRET = "hooks-secret-hooks-secret"


async def main(url: str, lease: float) -> None:
    """Tell for ever, with short pauses, to addresses of this machine."""
    terms = NotifySettings(
        allow_private_targets=True, tries=(0.0, *[0.2] * 7), lease_seconds=lease, at_once=16, per_host=8
    )
    live = LiveSettings(notify=terms)
    database = connect(url)
    secrets = Secrets(gateway=(SECRET,), unseal=Vault(SECRET).open)
    outbox = Outbox(database, Client(LIMITS), secrets, lambda: terms)
    herald = Herald(database, lambda: live, outbox.poke)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    await asyncio.gather(herald.run(), outbox.run())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
