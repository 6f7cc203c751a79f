"""What a call of the use `passed` asks for: read once, and put into the words of the provider that it goes to.

Files of users are named by our ids and models by their public names; the provider knows copies, and names of its own.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from re import compile as pattern
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

from unigate.base.errors import BadRequest, NotFound, Unsupported
from unigate.dialects import form_read, json_places, openai_files, openai_passed
from unigate.relay import passing_words, strangers, tuned
from unigate.relay.call import Call
from unigate.relay.outgoing import FormBody, spooled
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.plans import upstream_name
from unigate.spec.binding import Binding
from unigate.spec.channel import Channel
from unigate.spec.facts import TUNED
from unigate.spec.form import Form
from unigate.spec.operation import Operation
from unigate.spec.shown_key import query_without_key
from unigate.store.own_files import FileRow
from unigate.upstream import Outgoing, Whole

#: An id that may stand in a path.
_ID = pattern(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,199}")
_IN_FORM = "file_id"
#: Files that one call may name, as the vendor has it; copies of so many are made at once.
MOST = 2000
_AT_ONCE = 4
#: Of a model's name, what an error repeats.
_SHOWN = 200
#: Copies that the provider of one refused call is asked for.
_DOUBTED = 10
#: The member by which a call is routed.
_MODEL = "model"
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that was read."""

    #: The body, where it is JSON.
    value: dict[str, Any] | None
    form: Form | None
    #: What stands in its path beside `{id}`.
    places: Mapping[str, str]
    query: str
    #: The files that it names, by our id.
    files: Mapping[str, FileRow]
    #: The models that it names, each with where it was made, None where it was not for the user.
    models: Mapping[str, Binding | None]
    #: The one of them that it is routed by; "" where it is by none.
    model: str
    #: Where that was made, if it was for the user, or where lies what it names.
    place: Binding | None
    #: It names things by the provider's ids.
    renamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The same as one provider is told it."""

    body: bytes | Outgoing
    places: Mapping[str, str]
    query: str
    #: Our id -> the provider's, of the files that it names.
    files: Mapping[str, str]


def thing_id(call: Call) -> str:
    """The id in the path; NotFound where nothing can be called so."""
    id = unquote(call.params["id"])
    if not _ID.fullmatch(id):
        raise passing_words.missing(call.operation, call.operation.binds, id)
    return id


async def read(call: Call, svc: Services) -> Asked:
    """Read a call. InvalidJson, BadRequest; Forbidden for a model; NotFound for a file or model that is not the user's."""
    operation, form = call.operation, call.form
    value = None
    if form is None and operation.body != "none":
        value = passing_words.read_body(call.body, operation)
    places = {name: unquote(told) for name, told in call.params.items() if name != "id"}
    for told in places.values():
        if not _ID.fullmatch(told):
            raise NotFound(f"There is no '{told[:100]}' here.")
    models: dict[str, Binding | None] = {}
    for param, name in json_places.texts(value, operation.models):
        if name not in models:
            models[name] = await _made_at(call, svc, param, name)
    things = await _things(call, svc, value)
    if things:
        value = _renamed(value, {id: binding.upstream_id for id, binding in things.items()})
    query = query_without_key(call.x.query)
    files: dict[str, FileRow] = {}
    for param, id in _named(call, value, places, query):
        if id not in files:
            if len(files) >= MOST:
                raise BadRequest(f"At most {MOST} files can be named.", param=param)
            row = await svc.own_files.find(id, call.key.user_id)
            if row is None:
                raise NotFound(openai_files.missing(id).message, param=param)
            files[id] = row
    model = value.get(_MODEL) if value is not None and _MODEL in operation.models else None
    model = model if isinstance(model, str) else ""
    place = next(iter(things.values()), None) or models.get(model)
    if usual := passing_words.model(operation):
        svc.keys.check(call.key, usual, call.x.client, call.at, operation)
        model = usual
    return Asked(
        value=value,
        form=form,
        places=places,
        query=query,
        files=files,
        models=models,
        model=model,
        place=place,
        renamed=bool(things),
    )


async def _things(call: Call, svc: Services, value: Mapping[str, Any] | None) -> dict[str, Binding]:
    """What a body names that lies at a provider, by our ids; the dialect's error for what is not there, or lies apart."""
    found: dict[str, Binding] = {}
    guarded = passing_words.guarded(call.operation)
    asked = [value, *(told for _, told in parse_qsl(query_without_key(call.x.query)))] if guarded else None
    if await strangers.named(svc, guarded, asked, call.key.user_id):
        raise passing_words.missing(call.operation, guarded[0], "")
    for kind, id in passing_words.named(call.operation, value):
        binding = await svc.bindings.of(kind, id, call.key.user_id) if "\0" not in id else None
        first = next(iter(found.values()), binding)
        if (
            binding is None
            or first is None
            or (binding.channel_id, binding.credential_id)
            != (
                first.channel_id,
                first.credential_id,
            )
        ):
            raise passing_words.missing(call.operation, kind, id)
        found[id] = binding
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """JSON data in which texts that are our ids are the provider's."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {name: _renamed(one, names) for name, one in value.items()}
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value


async def told(call: Call, svc: Services, asked: Asked, candidate: Candidate) -> Told:
    """A call as the provider of a candidate is told it, which gets copies of the files first.

    Raises as `Copies.ensure`; Unsupported where that channel does not serve a model that the call names.
    """
    operation, channel = call.operation, candidate.route.channel
    served = {name: _served(channel, name, made_at) for name, made_at in asked.models.items()}
    names: dict[str, str] = {}
    rows = list(asked.files.values())
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        copies = await asyncio.gather(*(svc.copies.ensure(candidate, row) for row in some))
        names |= {row.id: id for row, id in zip(some, copies, strict=True)}

    def theirs(id: str) -> str:
        return names.get(id, id)

    body: bytes | Outgoing = b""
    if asked.form is not None:
        form = asked.form
        for theirs_id in names.values():
            form = form.with_value(_IN_FORM, theirs_id.encode())
        body = FormBody(form, spooled(svc.spool))
    elif asked.value is not None:
        body = call.body or b"{}"
        if operation.files or operation.models or asked.renamed:
            value = json_places.replaced(asked.value, _of_body(operation.files), theirs)
            body = msgspec.json.encode(json_places.replaced(value, operation.models, served.__getitem__))
        if operation.body == "form":
            body = Whole(body, b"application/json")
    return Told(
        body=body,
        places={
            name: theirs(value) if f"{{{name}}}" in operation.files else value for name, value in asked.places.items()
        },
        query=_query(asked.query, operation.files, names),
        files=names,
    )


async def lost(svc: Services, asked: Asked, told: Told, candidate: Candidate, refusal: bytes) -> bool:
    """Whether the provider does not know one of the copies any more. Raises as `Copies.lost`.

    It is asked for those that its refusal names (by our ids), or for a few where it names none: it need not be about files.
    Only where one of these is lost it is asked for all others.
    """
    doubted = [id for id in told.files if id.encode() in refusal] or list(told.files)
    first = doubted[:_DOUBTED]
    found = [await svc.copies.lost(candidate, asked.files[id], told.files[id]) for id in first]
    if not any(found):
        return False
    for id in told.files.keys() - first:
        await svc.copies.lost(candidate, asked.files[id], told.files[id])
    return True


async def shown(
    operation: Operation, svc: Services, candidate: Candidate, body: bytes, files: Mapping[str, str] = _NONE
) -> bytes:
    """A provider's answer with our ids of files in it, and without whose account it is.

    `files`: those that the call named, by our id.
    """
    body = openai_passed.without_account(body)
    places = operation.shows_files
    if not places:
        return body
    value = openai_passed.read_answer(body)
    ours = {theirs: id for id, theirs in files.items()}
    if others := {id for _, id in json_places.texts(value, places)} - ours.keys():
        ours.update(await svc.copies.ours(candidate, others))
    if not ours:
        return body
    return msgspec.json.encode(json_places.replaced(value, places, lambda id: ours.get(id, id)))


async def _made_at(call: Call, svc: Services, param: str, model: str) -> Binding | None:
    """Where a model was made for the user; None for one that channels serve. Forbidden, NotFound."""
    svc.keys.check(call.key, model, call.x.client, call.at, call.operation)
    try:
        made_at = await tuned.place(call, svc, model) if model.startswith(TUNED) else None
        if made_at is None:
            svc.router.served(model, call.key.group.name, call.operation)
    except NotFound as error:
        error.param = param
        raise
    return made_at


def _served(channel: Channel, model: str, made_at: Binding | None) -> str:
    """The name of a model at a channel; Unsupported where it is not there."""
    name = upstream_name(channel.models, model) if made_at is None else model
    if name is None or (made_at is not None and made_at.channel_id != channel.id):
        raise Unsupported(f"The model '{model[:_SHOWN]}' is not served where this is kept.", param=_MODEL)
    return name


def _named(call: Call, value: object, places: Mapping[str, str], query: str) -> list[tuple[str, str]]:
    """Where a call names files, and which."""
    found = list(json_places.texts(value, _of_body(call.operation.files)))
    if call.form is not None and (id := form_read.text(call.form, _IN_FORM)) is not None:
        found.append((_IN_FORM, id))
    asked = dict(parse_qsl(query))
    for place in call.operation.files:
        if place.startswith("{"):
            found.append((place[1:-1], places[place[1:-1]]))
        elif place.startswith("?") and place[1:] in asked:
            found.append((place[1:], asked[place[1:]]))
    return found


def _of_body(places: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(place for place in places if place[0] not in "{?")


def _query(query: str, places: tuple[str, ...], names: Mapping[str, str]) -> str:
    """A query with the provider's ids of files."""
    if not names or not query:
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, names.get(value, value) if f"?{name}" in places else value) for name, value in pairs])
