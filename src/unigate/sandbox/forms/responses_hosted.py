"""What the vendor's own tools did for a response: the items that tell of it, and the events of those while it is done."""

from collections.abc import Iterator
from dataclasses import dataclass

from unigate.sandbox.forms import responses_containers, responses_pictures
from unigate.sandbox.forms.responses_search import Searched
from unigate.sandbox.serving.answer import Object, Part

#: Members of such items that stay empty until they are done.
EMPTY: Object = {"queries": [], "results": None, "result": None, "code": "", "outputs": None}
_KINDS = ("file_search_call", "code_interpreter_call", "image_generation_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """What was searched, run and drawn."""

    searched: Searched | None = None
    ran: Object | None = None
    picture: Object | None = None

    @property
    def items(self) -> list[Object]:
        """The items in their order, as they go out."""
        found = [self.searched.item if self.searched else None, self.ran]
        found.append(responses_pictures.shown(self.picture) if self.picture else None)
        return [item for item in found if item is not None]

    def cited(self, text: str) -> list[Object]:
        """The annotations of an answer."""
        return self.searched.cited(text) if self.searched else []

    def steps(self, item: Object) -> Iterator[tuple[str, Object, Part]]:
        """Kinds and members of what comes between the beginning and the end of an item."""
        if item["type"] == "image_generation_call":
            for kind, told in responses_pictures.steps(item, (self.picture or {}).get("partial_images", 0)):
                yield kind, told, "content" if "partial" in kind else "opening"
        elif item["type"] == "code_interpreter_call":
            for kind, told in responses_containers.steps(item):
                yield kind, told, "content" if "code" in told or "delta" in told else "opening"
        else:
            for step in ("in_progress", "searching", "completed"):
                yield f"response.file_search_call.{step}", {}, "opening"


def is_hosted(item: Object) -> bool:
    """Whether an item tells of a tool of the vendor's."""
    return item["type"] in _KINDS
