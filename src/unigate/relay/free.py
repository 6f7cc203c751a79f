"""Operations other than `relay`: answered by us from what we know, by whom a binding names (`bound.py`), or by tasks.

A use case gives its reply, whole or in pieces, or None where it has replied itself. All count against rate limits; those
that are free have no hold and no price.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from urllib.parse import parse_qs, unquote

from unigate.base.errors import Forbidden, NotFound
from unigate.dialects import dashboard, openai_models, operations, platform
from unigate.relay import (
    batch_uses,
    file_uses,
    luma_uses,
    midjourney_image,
    pictures,
    realtime_calls,
    realtime_secrets,
    replicate_files,
    replicate_uses,
)
from unigate.relay.bound import bound
from unigate.relay.call import Call
from unigate.relay.passing import passed
from unigate.relay.services import Services
from unigate.relay.task_uses import TASK_USES
from unigate.spec.balance import Balance
from unigate.spec.price import Model
from unigate.spec.reply import Pieces, Reply


async def models(call: Call, svc: Services) -> Reply:
    """`GET /v1/models`: what the calling key may use."""
    names = svc.router.models(call.key.group.name, svc.models)
    return Reply(
        openai_models.write_models(
            _listing(call, svc, name) for name in names if svc.keys.allows_model(call.key, name) and _served(svc)
        )
    )


async def model(call: Call, svc: Services) -> Reply:
    """`GET /v1/models/{model}`: one of them; NotFound where the key may not use it or nothing serves it."""
    name = unquote(call.params["model"])
    names = svc.router.models(call.key.group.name, (*svc.models, name))
    if name not in names or not svc.keys.allows_model(call.key, name) or not _served(svc):
        raise NotFound(
            f"The model '{name}' does not exist or you do not have access to it.", code="model_not_found", param="model"
        )
    return Reply(openai_models.write_model(_listing(call, svc, name)))


async def billing_usage(call: Call, svc: Services) -> Reply:
    """`GET /v1/billing/usage`: balance, used and in use, of the key (`type=token`) or its user."""
    asked = parse_qs(call.x.query.decode("ascii", "replace"))
    of_key = asked.get("type", [""])[-1] == "token"
    if not of_key and not call.key.user_view:
        raise Forbidden("This key may only see its own usage: add type=token.")
    seen = await svc.bank.balance(call.key, of_key=of_key)
    unit: Literal["usd", "credits"] = "usd" if asked.get("unit", [""])[-1] == "usd" else "credits"
    return Reply(
        platform.write_usage(
            seen.granted, seen.used, seen.in_use, unit=unit, credits_per_usd=svc.settings.credits_per_usd
        )
    )


async def subscription(call: Call, svc: Services) -> Reply:
    """Dashboard-compatible `billing/subscription`."""
    seen = await svc.bank.balance(call.key, of_key=_own_numbers(call))
    return Reply(dashboard.write_subscription(_limit(seen), call.key.expires_at))


async def dashboard_usage(call: Call, svc: Services) -> Reply:
    """Dashboard-compatible `billing/usage`, in cents; its dates change nothing."""
    seen = await svc.bank.balance(call.key, of_key=_own_numbers(call))
    return Reply(dashboard.write_total_usage(seen.used, seen.in_use))


async def credit_grants(call: Call, svc: Services) -> Reply:
    """Dashboard-compatible `billing/credit_grants`."""
    seen = await svc.bank.balance(call.key, of_key=_own_numbers(call))
    return Reply(dashboard.write_credit_grants(_limit(seen), seen.used, seen.in_use))


#: `Operation.use` -> the use case.
USES: Mapping[str, Callable[[Call, Services], Awaitable[Reply | Pieces | None]]] = {
    **TASK_USES,
    "task": pictures.make,
    "batch": batch_uses.one,
    "batch_cancel": batch_uses.cancel,
    "batch_create": batch_uses.create,
    "batches": batch_uses.listed,
    "luma_concepts": luma_uses.concepts,
    "luma_credits": luma_uses.credits,
    "luma_download": luma_uses.download,
    "luma_list": luma_uses.listed,
    "luma_ping": luma_uses.ping,
    "midjourney_image": midjourney_image.image,
    "realtime_call": realtime_calls.create,
    "realtime_secret": realtime_secrets.create,
    "own_file": file_uses.one,
    "own_file_content": file_uses.content,
    "own_file_create": file_uses.create,
    "own_file_delete": file_uses.delete,
    "own_files": file_uses.listed,
    "upload_cancel": file_uses.upload_cancel,
    "upload_complete": file_uses.upload_complete,
    "upload_create": file_uses.upload_create,
    "upload_part": file_uses.upload_part,
    "replicate_account": replicate_uses.account,
    "replicate_file": replicate_files.one,
    "replicate_files": replicate_files.listed,
    "replicate_list": replicate_uses.predictions,
    "replicate_model": replicate_uses.model,
    "replicate_stream": replicate_uses.stream,
    "replicate_upload": replicate_files.upload,
    "replicate_version": replicate_uses.version,
    "replicate_versions": replicate_uses.versions,
    "models": models,
    "model": model,
    "bound": bound,
    "passed": passed,
    "billing_usage": billing_usage,
    "dashboard_subscription": subscription,
    "dashboard_usage": dashboard_usage,
    "dashboard_credit_grants": credit_grants,
}


def _limit(seen: Balance) -> int:
    """What was granted; a key without a budget shows a limit that is never reached."""
    return dashboard.NO_LIMIT if seen.granted is None else seen.granted


def _own_numbers(call: Call) -> bool:
    """Whether the dashboard shows the key's numbers: it has a total budget, or may not see its user's."""
    return "total" in call.key.budgets or not call.key.user_view


def _states(svc: Services) -> list[str]:
    """The states of all operations by which a model may be called, as far as they are not switched off."""
    states = svc.settings.operations
    found = [
        states.get(row.name) or states.get(row.family) or "live"
        for row in operations()
        if row.use in {"relay", "realtime", "task"}
    ]
    return [state for state in found if state != "off"]


def _served(svc: Services) -> bool:
    """Whether any operation by which a model may be called is not switched off."""
    return bool(_states(svc))


def _listing(call: Call, svc: Services, name: str) -> openai_models.Listing:
    return openai_models.Listing(
        model=svc.models.get(name) or Model(name=name),
        state="live" if "live" in _states(svc) else "deprecated",
        prices=svc.prices.rows(name, call.at),
        multiplier=call.key.group.multiplier,
    )
