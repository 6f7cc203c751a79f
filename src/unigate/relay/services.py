"""Services: what the relay's use cases are given. The composition root fills it; changes of configuration replace parts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from unigate.access.keys import Keys
from unigate.access.limiter import Limiter
from unigate.base.live_settings import LiveSettings
from unigate.billing.bank import Bank
from unigate.billing.prices import Prices
from unigate.relay.batches import Batches
from unigate.relay.bindings import Bindings
from unigate.relay.call import Call
from unigate.relay.detached import Detached
from unigate.relay.file_copies import Copies
from unigate.relay.files import Files
from unigate.relay.keeping import Keeper
from unigate.relay.metrics import Metrics
from unigate.relay.own_files import OwnFiles
from unigate.relay.own_uploads import OwnUploads
from unigate.relay.task_events import Watchers
from unigate.relay.task_face import TaskFace
from unigate.relay.traces import Listener
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Candidate, Router
from unigate.spec.price import Model
from unigate.spec.record import Record
from unigate.store.spool import Spool


@dataclass(slots=True, kw_only=True)
class Services:
    """The rooms that a call passes through."""

    keys: Keys
    limits: Limiter
    router: Router
    prices: Prices
    bank: Bank
    upstreams: Upstreams
    bindings: Bindings
    models: Mapping[str, Model]
    metrics: Metrics
    settings: LiveSettings = field(default_factory=LiveSettings)
    #: Where the files of forms lie while their calls are served.
    spool: Spool = field(default_factory=Spool)
    #: Set once all else is there, since tasks are made and followed by the other services.
    tasks: TaskFace = field(init=False, repr=False, compare=False)
    #: The files that tasks made; set with them.
    files: Files = field(init=False, repr=False, compare=False)
    #: The files that users uploaded, and those that come in parts; set with them.
    own_files: OwnFiles = field(init=False, repr=False, compare=False)
    own_uploads: OwnUploads = field(init=False, repr=False, compare=False)
    #: Copies of users' files at providers; set with them.
    copies: Copies = field(init=False, repr=False, compare=False)
    #: The batches of users; set with them.
    batches: Batches = field(init=False, repr=False, compare=False)
    #: Calls that are seen to their end without their callers.
    detached: Detached = field(default_factory=Detached)
    #: Streams that are open by their addresses alone, by user.
    streams: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    #: Told of calls beside the metrics, None where nobody wants to be.
    listener: Listener | None = None
    #: Counts streams of events about tasks.
    watchers: Watchers = field(default_factory=Watchers)
    #: Keeps prompts and answers of calls that are to be kept.
    keeper: Keeper

    def ended(self, call: Call, row: Record, candidate: Candidate | None) -> None:
        """Count a call that ended; `candidate`: the one that served it."""
        self.metrics.ended(row, candidate.route.channel.name if candidate is not None else "")
        if self.listener is not None:
            self.listener.ended(call, row, candidate)
