"""Conversations: `/v1/conversations`."""

from unigate.reference.page import Page
from unigate.reference.passed import PAGED, WHEN, Kept, deleted, page_of, shown_deleted, shown_page
from unigate.reference.schema import ANYTHING, either, many, mapping, maybe, only, record, ref, text
from unigate.reference.shared import METADATA

_ID, _ITEM = "conv_67ee0a1b2c3d", "msg_67ee0a1b2c3d"
_KEPT = Kept(family="conversations", places={"id": _ID, "item_id": _ITEM})
_SHOWN = {"id": _ID, "object": "conversation", "created_at": 1790000000, "metadata": {}}
_HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
_SHOWN_ITEM = {"id": _ITEM, "status": "completed", **_HELLO}
_INCLUDE = {"include": text("What else is to be told of items, such as `message.output_text.logprobs`.")}
_ITEMS = many(ref("NewConversationItem"), "Up to 20.", most=20)
PAGE = Page(
    title="Conversations",
    about="Messages and other items that responses go on from, by `conversation` in `POST /v1/responses`; kept by the provider.",
    entries=(
        _KEPT.entry(
            "create",
            "Create a conversation",
            "With its first items, or none.",
            ref("Conversation"),
            _SHOWN,
            places="",
            request=record({"items": maybe(_ITEMS), "metadata": METADATA}),
            body={"items": [_HELLO], "metadata": {"topic": "greetings"}},
        ),
        _KEPT.entry("get", "Get a conversation", "Without its items.", ref("Conversation"), _SHOWN),
        _KEPT.entry(
            "update",
            "Change a conversation",
            "Its notes.",
            ref("Conversation"),
            _SHOWN,
            request=record({"metadata": METADATA}, needs=("metadata",)),
            body={"metadata": {"topic": "farewells"}},
        ),
        _KEPT.entry(
            "delete",
            "Delete a conversation",
            "Its items stay with the provider for a while.",
            deleted("conversation.deleted"),
            shown_deleted(_ID, "conversation.deleted"),
        ),
        _KEPT.entry(
            "items.create",
            "Add items",
            "Whole items; `item_reference` is refused, since it may name what is another user's.",
            page_of(ref("ConversationItem")),
            shown_page(_SHOWN_ITEM),
            request=record({"items": _ITEMS}, needs=("items",)),
            query=_INCLUDE,
            body={"items": [_HELLO]},
        ),
        _KEPT.entry(
            "items.list",
            "List items",
            "Those of a conversation.",
            page_of(ref("ConversationItem")),
            shown_page(_SHOWN_ITEM),
            query={**{name: one for name, one in PAGED.items() if name != "before"}, **_INCLUDE},
        ),
        _KEPT.entry(
            "items.get",
            "Get an item",
            "Of a conversation.",
            ref("ConversationItem"),
            _SHOWN_ITEM,
            places="id item_id",
            query=_INCLUDE,
        ),
        _KEPT.entry(
            "items.delete",
            "Delete an item",
            "Answers with the conversation.",
            ref("Conversation"),
            _SHOWN,
            places="id item_id",
        ),
    ),
    schemas={
        "Conversation": record(
            {"id": text(), "object": only("conversation"), "created_at": WHEN, "metadata": METADATA},
            "A conversation.",
            needs=("id", "object", "created_at"),
        ),
        "NewConversationItem": record(
            {
                "type": text("`message` unless told; or another item, as in `POST /v1/responses`.", least=1),
                "role": text(of=("user", "assistant", "system", "developer")),
                "content": either(text(), many(mapping(ANYTHING)), about="A text, or its parts."),
            },
            "An item.",
            needs=("role", "content"),
        ),
        "ConversationItem": record(
            {
                "id": text(),
                "type": text(),
                "status": maybe(text()),
                "role": text(),
                "content": maybe(many(mapping(ANYTHING))),
            },
            "An item of a conversation.",
            needs=("type",),
        ),
    },
)
