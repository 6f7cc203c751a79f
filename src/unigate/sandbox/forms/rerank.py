"""Reranking, whoever's form it has: reads and checks a call, puts the documents in order, counts. A face says the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unigate.sandbox.brain import ranking
from unigate.sandbox.forms import checks, openai_request
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler

#: Tokens of a picture, and characters of text per token.
_PICTURE_TOKENS = 640
_CHARACTERS = 4
#: Tokens of a document and its query that count as one document, and documents that count as one search.
_LONG = 500
_SEARCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A call that was found good, and its documents in order."""

    body: Object
    model: str
    documents: list[Any]
    #: Place and score, the best first, as many as were asked for.
    rows: list[tuple[int, float]]
    tokens: int
    searches: int
    shows: bool

    def text(self, place: int) -> str:
        """A document as a text."""
        return _text(self.documents[place], self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one vendor reranks."""

    models: Models
    no_model: Callable[[str], VendorError]
    write: Callable[[Found], object]
    #: Status of an answer to a wrong parameter.
    status: int = 400
    top: str = "top_n"
    texts: str = "documents"
    most: int = 1000
    #: It shows documents where nothing is said.
    shows: bool = False
    #: Members that it knows, where it refuses others.
    known: frozenset[str] | None = None
    #: What is said to a member that it does not know.
    unknown: str = "Argument '{}' is not supported by our API"
    #: Documents may be objects with a text, or with a picture.
    objects: bool = False
    pictures: bool = False
    #: From the body to one with all members at its top.
    flat: Callable[[Object], Object] = field(default=lambda body: body)
    #: A server of one model, whatever a call names.
    one_model: str = ""


def rerank(manner: Manner) -> Handler:
    """The handler of a vendor's rerank operation."""

    async def handle(call: Call) -> Answer:
        """Put documents in order by a query."""
        try:
            found = _found(manner, openai_request.decode(call.body), empty="empty" in call.fault)
        except VendorError as error:
            if error.status != 400:
                raise
            raise VendorError(
                manner.status, error.message, kind=error.kind, param=error.param, code=error.code
            ) from None
        call.world.accounts.charge(call.credential, found.tokens)
        return Whole(
            payload=manner.write(found),
            usage={"input": found.tokens, "searches": found.searches},
            model=found.model,
        )

    return handle


def _found(manner: Manner, told: Object, *, empty: bool) -> Found:
    body = manner.flat(told)
    if manner.known is not None:
        for name in body:
            if name not in manner.known:
                raise VendorError(400, manner.unknown.format(name), param=name)
    model = manner.one_model or _model(manner, body)
    query = body.get("query")
    if query is None:
        raise checks.missing("query")
    if not isinstance(query, str) and not (manner.pictures and isinstance(query, dict)):
        raise checks.wrong_type("query", "a string", query)
    if not query:
        raise checks.refuse("query must not be empty", "query")
    if body.get(manner.texts) is None:
        raise checks.missing(manner.texts)
    documents = checks.listed(body[manner.texts], manner.texts, "strings", least=1, most=manner.most)
    for place, document in enumerate(documents):
        _check(manner, document, f"{manner.texts}[{place}]")
    for place, name in enumerate(checks.listed(checks.given(body, "rank_fields", []), "rank_fields", "strings")):
        checks.text({"name": name}, "name", f"rank_fields[{place}]", required=True)
    shows = checks.flag(body, "return_documents")
    top = checks.integer(body, manner.top, 1, None) if manner.top else None
    texts = [_text(document, body) for document in documents]
    asked = query if isinstance(query, str) else _text(query, body)
    rows = [] if empty else ranking.ranked(asked, texts)
    return Found(
        body=body,
        model=model,
        documents=documents,
        rows=rows[:top],
        tokens=sum(_tokens(asked) + _tokens(text) for text in texts),
        searches=_searches(asked, texts),
        shows=manner.shows if shows is None else shows,
    )


def _model(manner: Manner, body: Object) -> str:
    name = checks.text(body, "model", "model", required=True)
    found = manner.models.find(name)
    if found is None or (found.kind != "rank" and found.owner != "sandbox"):
        raise manner.no_model(name)
    return name


def _check(manner: Manner, document: object, param: str) -> None:
    if isinstance(document, str):
        return
    if not isinstance(document, dict) or not manner.objects:
        raise checks.wrong_type(param, "a string", document)
    if "image" in document and not manner.pictures:
        raise checks.refuse("This model takes no images.", param)


def _text(document: object, body: Object) -> str:
    """What a document is compared by: of a picture its address or data."""
    if isinstance(document, str):
        return document
    assert isinstance(document, dict)
    fields = body.get("rank_fields") or ("text", "image")
    return "\n".join(str(document[name]) for name in fields if document.get(name) is not None)


def _tokens(text: str) -> int:
    return _PICTURE_TOKENS if text.startswith("data:image/") else -(-len(text) // _CHARACTERS)


def _searches(query: str, texts: list[str]) -> int:
    parts = sum(max(1, -(-(_tokens(query) + _tokens(text)) // _LONG)) for text in texts)
    return -(-parts // _SEARCH)


def results(found: Found, *, document: Callable[[Found, int], object] | None = None) -> list[Object]:
    """Rows as most vendors give them; `document` is how one is shown, where it is."""
    made: list[Object] = []
    for place, score in found.rows:
        row: Object = {"index": place, "relevance_score": score}
        if document is not None and found.shows:
            row["document"] = document(found, place)
        made.append(row)
    return made


def as_object(found: Found, place: int) -> Mapping[str, object]:
    """A document as an object with its text."""
    document = found.documents[place]
    return document if isinstance(document, dict) else {"text": document}
