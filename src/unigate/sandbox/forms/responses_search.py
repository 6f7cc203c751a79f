"""`file_search` of responses: what is found in vector stores, how the model reads it, and how its answer cites it.

https://platform.openai.com/docs/guides/tools-file-search
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.brain.prompt import File, Turn
from unigate.sandbox.forms import checks, platform_vector_stores, vector_request
from unigate.sandbox.forms.vector_store import Found
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

_LONGEST_QUERY = 200
#: The share of the best score that a file needs to be read.
_NEAR = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One search, as the output item that tells of it, and what it found."""

    item: Object
    found: Sequence[Found] = ()

    def cited(self, text: str) -> list[Object]:
        """The citations of an answer: each file that it names, behind the words that it quotes."""
        made = []
        for name, id in {hit.member.upload.filename: hit.member.upload.id for hit in self.found}.items():
            at = text.find(name)
            if at >= 0:
                end = text.find("”", at)
                index = at + len(name) if end < 0 else end
                made.append({"type": "file_citation", "file_id": id, "filename": name, "index": index})
        return sorted(made, key=lambda one: one["index"])


async def search(call: Call, body: Object, turns: tuple[Turn, ...], named: Callable[[str], str]) -> Searched | None:
    """Search for what the last message asks; None where no stores are given, or it is not the user's turn."""
    tools = checks.listed(checks.given(body, "tools", []), "tools")
    places = [n for n, tool in enumerate(tools) if isinstance(tool, dict) and tool.get("type") == "file_search"]
    if not places:
        return None
    at = f"tools[{places[0]}]"
    tool = tools[places[0]]
    ids = checks.listed(tool.get("vector_store_ids"), f"{at}.vector_store_ids", "strings", least=1)
    stores = [
        platform_vector_stores.store(call, checks.text({"id": id}, "id", f"{at}.vector_store_ids", required=True))
        for id in ids
    ]
    asked = turns[-1] if turns else None
    if asked is None or asked.role != "user" or body.get("tool_choice") == "none":
        return None
    query = " ".join(unmarked(asked.text).split())[:_LONGEST_QUERY]
    found = await platform_vector_stores.searched(call, stores, vector_request.wanted(tool, [query], at))
    rows = [
        {
            "file_id": hit.member.upload.id,
            "filename": hit.member.upload.filename,
            "score": hit.score,
            "text": hit.text,
            "attributes": hit.member.attributes,
        }
        for hit in found
    ]
    item: Object = {"id": named("fs"), "type": "file_search_call", "status": "completed", "queries": [query]}
    item["results"] = rows if "file_search_call.results" in (body.get("include") or ()) else None
    return Searched(item=item, found=found)


def heard(turns: tuple[Turn, ...], searched: Searched | None) -> tuple[Turn, ...]:
    """The conversation with the best of what was found as documents of its last message."""
    if searched is None or not searched.found:
        return turns
    enough = searched.found[0].score * _NEAR
    texts: dict[str, list[str]] = {}
    for hit in searched.found:
        if hit.score >= enough:
            texts.setdefault(hit.member.upload.filename, []).append(hit.text)
    files = tuple(File(name, len("".join(parts)), "\n".join(parts)) for name, parts in texts.items())
    return (*turns[:-1], replace(turns[-1], files=(*turns[-1].files, *files)))
