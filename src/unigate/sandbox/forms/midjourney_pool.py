"""The accounts of the imitation Midjourney server: three, for each caller's credential, with queues of their own."""

from dataclasses import dataclass

from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.queue import Queue
from unigate.sandbox.serving.world import World

RUNNING = 3
WAITING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Discord account."""

    id: str
    guild: str
    modes: tuple[str, ...]
    #: The channels of private messages, through which seeds are asked for; "": there are none.
    private: str = ""
    niji_private: str = ""
    remix: bool = False
    remark: str = ""
    #: Fast hours: bought, and left.
    hours: tuple[float, float] = (15.0, 15.0)


ACCOUNTS = (
    Account(
        id="1118138338562560101",
        guild="1118138338562560001",
        modes=("FAST",),
        private="1118138338562560201",
        niji_private="1118138338562560301",
        remark="fast",
        hours=(15.0, 11.25),
    ),
    Account(
        id="1118138338562560102",
        guild="1118138338562560002",
        modes=("TURBO",),
        private="1118138338562560202",
        niji_private="1118138338562560302",
        remix=True,
        remark="turbo",
        hours=(30.0, 29.5),
    ),
    Account(id="1118138338562560103", guild="1118138338562560003", modes=("RELAX",), remark="relax", hours=(15.0, 0.0)),
)


class Pool:
    """The accounts as one caller sees them."""

    def __init__(self) -> None:
        self._queues = {account.id: Queue(running=RUNNING, waiting=WAITING) for account in ACCOUNTS}
        self.drawn = dict.fromkeys(self._queues, 0)

    def queue(self, account: Account) -> Queue:
        """The queue of an account."""
        return self._queues[account.id]

    def choose(self, mode: str | None, wanted: Object) -> Account | None:
        """The account that serves that mode (None: any for which the filter asks, else the fast one) and fits the
        filter, the one with the least to do; None where there is none.
        """  # noqa: D205 - one sentence
        instance = wanted.get("instanceId") or wanted.get("channelId")
        fitting = [
            account
            for account in ACCOUNTS
            if (not instance or account.id == str(instance))
            and (not wanted.get("remix") or account.remix)
            and (not wanted.get("remark") or str(wanted["remark"]) in account.remark)
        ]
        named = any(wanted.get(name) for name in ("instanceId", "channelId", "remix", "remark"))
        modes = (mode,) if mode else tuple(m for account in fitting for m in account.modes) if named else ("FAST",)
        serving = [account for account in fitting if set(modes) & set(account.modes)]
        return min(serving, key=self._load, default=None)

    def _load(self, account: Account) -> int:
        queue = self.queue(account)
        return queue.running() + len(queue.waiting())

    def shown(self, account: Account) -> Object:
        """The account as `GET /mj/account/list` shows it."""
        queue = self.queue(account)
        bought, left = account.hours
        return {
            "id": account.id,
            "channelId": account.id,
            "guildId": account.guild,
            "privateChannelId": account.private or None,
            "nijiBotChannelId": account.niji_private or None,
            "enable": True,
            "enableMj": True,
            "enableNiji": True,
            "lock": False,
            "disabledReason": None,
            "running": True,
            "remark": account.remark,
            "mode": account.modes[0],
            "allowModes": list(account.modes),
            "remixAutoSubmit": False,
            "coreSize": RUNNING,
            "queueSize": WAITING,
            "runningCount": queue.running(),
            "queueCount": len(queue.waiting()),
            "timeoutMinutes": 5,
            "weight": 1,
            "sort": ACCOUNTS.index(account),
            "dayDrawLimit": -1,
            "dayDrawCount": self.drawn[account.id],
            "version": "7",
            "fastExhausted": left <= 0,
            "fastTimeRemaining": f"{left:.2f}/{bought:.1f} hours ({100 * left / bought:.2f}%)",
            "displays": {"nijiMode": account.modes[0], "mode": account.modes[0], "remix": account.remix},
        }


def pool_of(world: World, credential: str) -> Pool:
    """The accounts of a caller."""
    kept = world.shelf.get(f"midjourney:{credential}", credential)
    if isinstance(kept, Pool):
        return kept
    made = Pool()
    world.shelf.put(f"midjourney:{credential}", credential, made)
    return made
