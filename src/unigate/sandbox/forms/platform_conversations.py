"""Conversations: items that are kept together, and that responses go on from and add to.

https://platform.openai.com/docs/api-reference/conversations
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from unigate.base import clock
from unigate.sandbox.forms import checks, platform, responses_items
from unigate.sandbox.serving.answer import Answer, Object
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call, Route

#: How many items may be handed in at once, and how many are kept.
_MOST_GIVEN = 20
_MOST = 10_000


@dataclass(slots=True, kw_only=True, eq=False)
class Conversation:
    """One conversation."""

    id: str
    metadata: Object
    made_ms: int = field(default_factory=clock.now_ms)
    items: Drawer[Object] = field(default_factory=lambda: Drawer(_MOST))

    def add(self, items: Iterable[Object]) -> None:
        """Put items at its end."""
        for item in items:
            self.items.put(item["id"], item)

    def shown(self) -> Object:
        """The conversation as the vendor tells it."""
        made = self.made_ms // 1000
        return {"id": self.id, "object": "conversation", "created_at": made, "metadata": self.metadata}


def routes() -> tuple[Route, ...]:
    """All operations of conversations."""
    one = "/v1/conversations/{id}"
    return (
        Route("POST", "/v1/conversations", _create),
        Route("GET", one, _get),
        Route("POST", one, _update),
        Route("DELETE", one, _delete),
        Route("POST", f"{one}/items", _add),
        Route("GET", f"{one}/items", _list),
        Route("GET", f"{one}/items/{{item}}", _get_item),
        Route("DELETE", f"{one}/items/{{item}}", _delete_item),
    )


def find(call: Call, id: str, param: str = "conversation_id") -> Conversation:
    """The conversation of that id; the vendor's refusal where there is none."""
    kept = call.world.cabinet.of(Conversation, call.credential).get(platform.begins(id, param, "conv"))
    return platform.found(kept, f"Conversation with id '{id[:100]}' not found.")


def named(call: Call, body: Object) -> Conversation | None:
    """The conversation that a response belongs to, None where its body names none."""
    given = body.get("conversation")
    if given is None:
        return None
    if body.get("previous_response_id") is not None:
        told = (
            "Mutually exclusive parameters: 'conversation' and 'previous_response_id'. Only one of them may be given."
        )
        raise checks.refuse(told, "conversation", "mutually_exclusive_parameters")
    if isinstance(given, dict):
        return find(call, checks.text(given, "id", "conversation.id", required=True), "conversation.id")
    return find(call, checks.text(body, "conversation", "conversation"), "conversation")


def _given(value: object, known: Iterable[Object] = ()) -> list[Object]:
    listed = checks.listed(value, "items", most=_MOST_GIVEN)
    return responses_items.read(listed, lambda prefix: platform.hex_id(f"{prefix}_", 48), known, "items")


async def _create(call: Call) -> Answer:
    """POST /conversations."""
    body = platform.body(call, ("items", "metadata"))
    made = Conversation(id=platform.hex_id("conv_", 48), metadata=platform.metadata(body.get("metadata")))
    made.add(_given(checks.given(body, "items", [])))
    call.world.cabinet.of(Conversation, call.credential).put(made.id, made)
    return platform.answer(made.shown())


async def _get(call: Call) -> Answer:
    """GET /conversations/{id}."""
    return platform.answer(find(call, call.params["id"]).shown())


async def _update(call: Call) -> Answer:
    """POST /conversations/{id}."""
    one = find(call, call.params["id"])
    body = platform.body(call, ("metadata",))
    if "metadata" not in body:
        raise checks.missing("metadata")
    one.metadata = platform.metadata(body["metadata"])
    return platform.answer(one.shown())


async def _delete(call: Call) -> Answer:
    """DELETE /conversations/{id}."""
    one = find(call, call.params["id"])
    call.world.cabinet.of(Conversation, call.credential).drop(one.id)
    return platform.answer({"id": one.id, "object": "conversation.deleted", "deleted": True})


async def _add(call: Call) -> Answer:
    """POST /conversations/{id}/items."""
    one = find(call, call.params["id"])
    body = platform.body(call, ("items",))
    if body.get("items") is None:
        raise checks.missing("items")
    given = _given(body["items"], one.items.all())
    one.add(given)
    ends = {"first_id": given[0]["id"] if given else None, "last_id": given[-1]["id"] if given else None}
    return platform.answer({"object": "list", "data": given, **ends, "has_more": False})


async def _list(call: Call) -> Answer:
    """GET /conversations/{id}/items."""
    return platform.answer(platform.page(call, find(call, call.params["id"]).items.all()))


def _item(call: Call) -> tuple[Conversation, Object]:
    one, id = find(call, call.params["id"]), call.params["item"]
    told = f"Item with id '{id[:100]}' not found in conversation '{one.id}'."
    return one, platform.found(one.items.get(id), told)


async def _get_item(call: Call) -> Answer:
    """GET /conversations/{id}/items/{item}."""
    return platform.answer(_item(call)[1])


async def _delete_item(call: Call) -> Answer:
    """DELETE /conversations/{id}/items/{item}."""
    one, item = _item(call)
    one.items.drop(item["id"])
    return platform.answer(one.shown())
