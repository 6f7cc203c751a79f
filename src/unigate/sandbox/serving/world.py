"""What lives as long as the sandbox: options, log, counters, prefix cache, accounts, jobs, files, callbacks, mails. One per app, no globals."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from unigate.sandbox.brain.cache import PrefixCache
from unigate.sandbox.media.files import Files
from unigate.sandbox.options import Options
from unigate.sandbox.serving.cabinet import Cabinet
from unigate.sandbox.serving.faults import Counter
from unigate.sandbox.serving.hooks import Received
from unigate.sandbox.serving.jobs import Jobs
from unigate.sandbox.serving.log import Log
from unigate.sandbox.serving.mail import Mails

#: Nano-USD per token that accounts are charged: whatever the model, so that tests can compute it.
INPUT_PRICE = 150
OUTPUT_PRICE = 600
_STUDIO_THREADS = 2


class Accounts:
    """What each credential has spent, in nano-USD; bounded."""

    def __init__(self, limit: int = 10_000) -> None:
        self._spent: OrderedDict[str, int] = OrderedDict()
        self._limit = limit

    def spend(self, credential: str, amount: int) -> None:
        """Add to what a credential has spent."""
        self._spent[credential] = self._spent.pop(credential, 0) + amount
        if len(self._spent) > self._limit:
            self._spent.popitem(last=False)

    def charge(self, credential: str, input_tokens: int, output_tokens: int = 0) -> None:
        """Add what so many tokens cost."""
        self.spend(credential, input_tokens * INPUT_PRICE + output_tokens * OUTPUT_PRICE)

    def spent(self, credential: str) -> int:
        """What a credential has spent."""
        return self._spent.get(credential, 0)

    def clear(self) -> None:
        """All accounts start anew."""
        self._spent.clear()


class Shelf:
    """What a vendor keeps for its callers, by id; bounded, the oldest goes first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._things: OrderedDict[str, tuple[str, object]] = OrderedDict()
        self._limit = limit

    def put(self, id: str, credential: str, thing: object) -> None:
        """Keep a thing for whoever has that credential."""
        self._things[id] = (credential, thing)
        if len(self._things) > self._limit:
            self._things.popitem(last=False)

    def get(self, id: str, credential: str) -> object | None:
        """The thing; None where there is none, or it is somebody else's."""
        owner, thing = self._things.get(id, ("", None))
        return thing if owner == credential else None

    def drop(self, id: str) -> None:
        """Keep it no longer."""
        self._things.pop(id, None)

    def clear(self) -> None:
        """Keep nothing."""
        self._things.clear()


class World:
    """The state of one sandbox."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.log = Log(options)
        self.faults = Counter()
        self.prefixes = PrefixCache()
        self.accounts = Accounts()
        self.shelf = Shelf()
        self.cabinet = Cabinet()
        self.jobs = Jobs()
        self.files = Files(options.keep_files)
        self.hooks = Received()
        self.mails = Mails()
        #: Where pictures and films are made: few at a time, so that calls are answered meanwhile.
        self.studio = ThreadPoolExecutor(_STUDIO_THREADS, "studio")

    def clear(self) -> None:
        """Forget everything."""
        self.log.clear()
        self.faults.clear()
        self.prefixes.clear()
        self.accounts.clear()
        self.shelf.clear()
        self.cabinet.clear()
        self.jobs.clear()
        self.files.clear()
        self.hooks.clear()
        self.mails.clear()
