"""Models that users had made by fine-tuning: named by the provider, known where they were made, and called by their user only.

They are bound as things of the kind `model` when an answer about a job names them. Names that nobody's job made are models
like any other: the operator's own, which channels serve as they say.
"""

from dataclasses import replace

from unigate.base.errors import NotFound
from unigate.dialects import json_places, openai_passed
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.spec.operation import Operation

KIND = "model"
_NAME = 200


async def place(call: Call, svc: Services, model: str) -> Binding | None:
    """Where a model was made for the caller's user; None for one of nobody's. NotFound for another user's."""
    binding = await svc.bindings.anybodys(KIND, model)
    if binding is not None and binding.user_id != call.key.user_id:
        told = f"The model '{model[:_NAME]}' does not exist, or you do not have access to it."
        raise NotFound(told, code="model_not_found", param="model")
    return binding


def candidates(call: Call, svc: Services, place: Binding, model: str) -> list[Candidate]:
    """Where a call of a model may go that belongs to one place: that of a tuned model serves it whatever its channel says.

    Raises as `pinned` and `bound` of the router; NotFound where that provider does not offer the operation.
    """
    if place.kind != KIND:
        return svc.router.pinned(place, model, call.key.group.name, call.operation)
    candidate = svc.router.bound(place)
    if not candidate.route.channel.provider.serves(call.operation):
        told = f"No channel of the model '{model[:_NAME]}' offers {call.operation.path}."
        raise NotFound(told, code="model_not_found", param="model")
    return [candidate]


async def keep(svc: Services, operation: Operation, job: Binding, body: bytes) -> None:
    """Bind the models that an answer about a job names, so that they are callable before its caller knows of them."""
    if not operation.shows_models:
        return
    for _, name in json_places.texts(openai_passed.read_answer(body), operation.shows_models):
        if await svc.bindings.anybodys(KIND, name) is None:
            await svc.bindings.put(replace(job, kind=KIND, public_id=name, upstream_id=name, model=name))
