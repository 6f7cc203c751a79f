"""What a call of the use `passed` costs: nothing, unless the operator has set a price for its operation."""

import asyncio
from functools import partial

from unigate.base.errors import StoreUnavailable
from unigate.relay.call import Call
from unigate.relay.holding import Plan, plan
from unigate.relay.services import Services
from unigate.relay.settling import record
from unigate.routing.choice import Candidate
from unigate.spec.usage import Usage

_ONE = Usage({"call": 1})


class Bill:
    """The money of one call; released or settled once."""

    __slots__ = ("_call", "_plan", "_svc", "sent")

    def __init__(self, call: Call, svc: Services, plan: Plan | None) -> None:
        #: Something of the call may have gone out: it is seen to its end, whoever leaves.
        self.sent = False
        self._call = call
        self._svc = svc
        self._plan = plan

    def release(self) -> None:
        """The call came to nothing."""
        made, self._plan = self._plan, None
        if made is not None:
            made.hold.release()

    async def settled(self, candidate: Candidate, status: int) -> int:
        """What was charged (nano-USD), once its record is kept; StoreUnavailable where it can't be."""
        made, self._plan = self._plan, None
        if made is None:
            return 0
        row = record(self._call, made, candidate, _ONE, end="completed", status=status)
        self._svc.ended(self._call, row, candidate)
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        made.hold.settle(row, partial(_tell, kept))
        if not await kept:
            raise StoreUnavailable
        return row.cost


async def bill(call: Call, svc: Services) -> Bill:
    """Hold what a call can cost; NoFunds, StoreUnavailable."""
    name = call.operation.name
    if call.operation.free or not svc.prices.priced(name, call.at):
        return Bill(call, svc, None)
    quote = svc.prices.quote(name, "", call.key.group, call.at)
    made = plan(call, svc.bank, quote, None, 0)
    return Bill(call, svc, made if isinstance(made, Plan) else await made)


def _tell(waiter: "asyncio.Future[bool]", kept: bool) -> None:
    """Whoever waits may have left."""
    if not waiter.done():
        waiter.set_result(kept)
