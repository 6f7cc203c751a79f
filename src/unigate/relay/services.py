"""Services: what the relay's use cases are given. The composition root fills it; changes of configuration replace parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from unigate.access.keys import Keys
from unigate.access.limiter import Limiter
from unigate.base.live_settings import LiveSettings
from unigate.billing.bank import Bank
from unigate.billing.prices import Prices
from unigate.relay.metrics import Metrics
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Router
from unigate.spec.price import Model


@dataclass(slots=True, kw_only=True)
class Services:
    """The rooms that a call passes through."""

    keys: Keys
    limits: Limiter
    router: Router
    prices: Prices
    bank: Bank
    upstreams: Upstreams
    models: Mapping[str, Model]
    metrics: Metrics
    settings: LiveSettings = field(default_factory=LiveSettings)
