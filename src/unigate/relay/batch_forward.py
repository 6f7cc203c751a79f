"""Batches that a provider runs: the requests go there as a file of its own form, and what comes back becomes the batch's answers.

A channel says by its option `batches: forward` that it takes them. What all lines may cost is held before anything is sent, in
the transaction that says where the batch goes; each answer is charged in the transaction that keeps it, under an id that follows
from batch and line. So every step may be done again: by the batch's name in its metadata the provider tells whether it has it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import structlog

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, GatewayError, NoFunds, UpstreamError, UpstreamRefused
from unigate.billing.bank import Taken
from unigate.billing.periods import day_of
from unigate.dialects import dialect, openai_batch_lines, openai_errors
from unigate.dialects.openai_batch_lines import Answered
from unigate.relay import batch_wire, batch_words
from unigate.relay.batch_entry import Entry
from unigate.relay.batch_files import BatchFiles, Lost, NoInput
from unigate.relay.batch_lines import line_id, operation_at, shown_id
from unigate.relay.call import Call
from unigate.relay.holding import most_tokens
from unigate.relay.inner import Asked, Memory
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.batch import Line
from unigate.spec.binding import Binding
from unigate.spec.caller import Key
from unigate.spec.record import Record
from unigate.spec.usage import Usage
from unigate.store import batches as rows
from unigate.store.batches import BatchRow, Result
from unigate.store.captures import capture
from unigate.store.database import Database

log: Any = structlog.get_logger("unigate.batches")
OPTION, FORWARD = "batches", "forward"
#: Endpoints whose answers say by themselves what was used.
ENDPOINTS = frozenset({"/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations"})
#: Milliseconds between two questions: a part of the batch's age, between these bounds.
SOONEST_MS, LATEST_MS, PART_OF_AGE = 1_000, 60_000, 20
#: So long after a batch expired nobody waits for its provider any more.
GIVEN_UP_MS = 3_600_000
#: What a provider says against a batch as such; any other refusal may pass.
_DEFINITE = (400, 404, 413, 422)
#: Answers that are kept, and charged, together.
TOGETHER = 100
_TIER = {"service_tier": "batch"}
_ENDED = ("completed", "failed", "expired", "cancelled")
_OK = range(200, 300)
#: What providers say whose queue has no room for so many tokens.
_FULL = "token_limit_exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of a batch: the state that it ends in, with errors if it has any, or "" and when to ask again."""

    ending: str = ""
    errors: str = ""
    due_at: int = 0
    #: The provider has no room for it: its lines are called one by one after all.
    here: bool = False
    #: Removes what is left at the provider, once the batch has ended.
    tidy: Callable[[], Awaitable[None]] | None = None


class Forwarding:
    """Sends batches to providers that run them, and asks after them."""

    def __init__(self, db: Database, svc: Services, files: BatchFiles) -> None:
        self._db = db
        self._svc = svc
        self._files = files

    async def begin(self, row: BatchRow) -> BatchRow:
        """The batch with the place where it is to be run, which is written; as it was where it is run here.

        NoFunds, StoreUnavailable, Lost; NoInput.
        """
        candidate, key = await self._place(row)
        if candidate is None or key is None:
            return row
        amount, refused = 0, list[Result]()
        async with aclosing(self._files.lines(row, self._svc.settings.relay.body_bytes)) as lines:
            async for line in lines:
                try:
                    self._request(row, candidate, line)
                    bound = self._bound(row, key, line)
                except GatewayError as error:
                    refused.append(_refusal(row, line, error))
                    continue
                if bound is None:
                    return row  # it names what only a call of its own can be led to
                amount += bound
        if len(refused) == row.total:
            return row
        placed = replace(
            row,
            hold_id=ids.new("hld") if amount else "",
            channel_id=candidate.route.channel.id,
            credential_id=candidate.credential.id,
            failed=len(refused),
        )
        try:
            await self._svc.bank.enter(key, amount, Entry(placed, refused), placed.hold_id, day=self._day(row))
        except Taken:
            return row  # it was cancelled, or is another's: whoever goes on with it sees that
        return placed

    async def step(self, row: BatchRow) -> Step:
        """Send a batch, or ask how far it is, and take its answers when it has ended. Lost, StoreUnavailable."""
        now = now_ms()
        later = Step(due_at=now + min(max((now - row.in_progress_at) // PART_OF_AGE, SOONEST_MS), LATEST_MS))
        key = await self._svc.keys.named(row.key_id)
        try:
            candidate = self._svc.router.bound(_binding(row))
            if key is None:
                raise BadAnswer(detail=f"the key of {row.id} is no more")
            return await self._asked(row, key, candidate) or later
        except NoInput:
            return Step(ending="failed")
        except GatewayError as error:
            if isinstance(error, UpstreamRefused) and error.upstream_status in _DEFINITE:
                return Step(ending="failed", errors=_told(error))
            told = {"batch": row.id, "error": error.code, "detail": error.detail}
            if now > _given_up_at(row):
                log.warning("a batch is given up at its provider", **told)
                return Step(ending="cancelled" if row.state == "cancelling" else "expired")
            log.warning("a provider could not be asked about a batch", **told)
            if not isinstance(error, UpstreamError) and error.code != "no_channel_available":
                raise
            return later

    async def _place(self, row: BatchRow) -> tuple[Candidate | None, Key | None]:
        """By what a batch is run elsewhere, and the key that pays; None where it is run here."""
        if row.endpoint not in ENDPOINTS or not row.model:
            return None, None
        svc, operation = self._svc, operation_at(row.endpoint)
        key = await svc.keys.named(row.key_id)
        if key is None or svc.settings.state(operation.name, operation.family) == "off":
            return None, None
        try:
            svc.keys.check(key, row.model, row.client, now_ms(), operation)
            best = svc.router.routes(row.model, key.group.name, operation)[0]
        except GatewayError:
            return None, None  # each line is told by itself
        channel = best.route.channel
        if channel.options.get(OPTION) != FORWARD or not svc.copies.taken_by(best):
            return None, None
        return best, key

    def _bound(self, row: BatchRow, key: Key, line: Line) -> int | None:
        """The most that a line can cost, as a call would be held for; None where the batch can't go elsewhere with it."""
        svc, operation = self._svc, operation_at(row.endpoint)
        spoken = dialect(operation.dialect)
        facts = spoken.read(line.body)
        if facts.kept or facts.background or facts.stored or facts.containers:
            return None
        asked = Asked(operation=operation, key=key, body=line.body, id=line_id(row.id, line.number))
        call = Call(Memory(asked), asked.id, operation, key, row.in_progress_at)
        call.facts, call.input_tokens = facts, spoken.input_bound(line.body, facts)
        held = svc.settings.hold.output_tokens
        given, made = most_tokens(call, svc.models.get(facts.model), held)
        quote = svc.prices.quote(operation.name, facts.model, key.group, row.in_progress_at, row.discount)
        if quote.pictures:
            return None  # they are counted only where the answer is made
        made = min(made, max(held, facts.least_output)) * facts.count
        return quote.bound(given, made, {**facts.conditions, **_TIER}, facts.units)

    async def _asked(self, row: BatchRow, key: Key, candidate: Candidate) -> Step | None:
        """One question, or the sending; None where it is under way."""
        wire = batch_wire.Wire(self._svc, candidate)
        if not row.upstream_id:
            there = await wire.named(row.id)
            if there is None and row.state == "cancelling":
                return Step(ending="cancelled")
            seen = there or await self._send(row, wire, candidate)
            row = replace(row, upstream_id=seen.id)
            await self._note(row, {"upstream_id": seen.id})
            log.info("batch forwarded", batch=row.id, channel=candidate.route.channel.name, upstream_id=seen.id)
            return None
        seen = await wire.get(row.upstream_id)
        if seen.status not in _ENDED:
            if row.state == "cancelling" and seen.status in ("validating", "in_progress"):
                await wire.cancel(row.upstream_id)
            return None
        for file_id in (seen.output_file_id, seen.error_file_id):
            if file_id:
                row = await self._take(row, key, candidate, wire, file_id)
        tidy, failed = partial(wire.tidy, seen), seen.status == "failed"
        if failed and row.state == "in_progress" and any(error.get("code") == _FULL for error in seen.errors):
            return Step(here=True, tidy=tidy)
        errors = await self._errors(row, seen.errors) if failed else ""
        return Step(ending=seen.status, errors=errors, tidy=tidy)

    async def _errors(self, row: BatchRow, told: Sequence[dict[str, Any]]) -> str:
        """What a provider says against lines, by the numbers that their user knows."""
        sent = list[int]()
        async with self._db.reading() as tx:
            answered = await rows.done(tx, row.id)
        with suppress(NoInput):
            async with aclosing(self._files.lines(row, self._svc.settings.relay.body_bytes)) as lines:
                sent = [line.number async for line in lines if line.number not in answered]
        return batch_words.errors(told, sent)

    async def _send(self, row: BatchRow, wire: "batch_wire.Wire", candidate: Candidate) -> "batch_wire.Seen":
        """Upload the requests and create the batch there."""
        async with self._db.reading() as tx:
            answered = await rows.done(tx, row.id)
        size = 0
        async with aclosing(self._requests(row, candidate, answered)) as requests:
            async for request in requests:
                size += len(request)

        async def opened() -> AsyncIterator[bytes]:
            return self._requests(row, candidate, answered)

        file_id = await wire.upload(row, size, opened)
        try:
            return await wire.create(row, file_id)
        except UpstreamRefused:
            await wire.delete(file_id)
            raise

    async def _requests(self, row: BatchRow, candidate: Candidate, answered: set[int]) -> AsyncGenerator[bytes, None]:
        """The lines as the provider gets them: with its name of the model, and our number before the caller's id."""
        async with aclosing(self._files.lines(row, self._svc.settings.relay.body_bytes)) as lines:
            async for line in lines:
                if line.number not in answered:
                    yield self._request(row, candidate, line)

    @staticmethod
    def _request(row: BatchRow, candidate: Candidate, line: Line) -> bytes:
        """A line as the provider gets it; GatewayError where its body can't be read, or can't go there."""
        spoken, route, body = dialect(operation_at(row.endpoint).dialect), candidate.route, line.body
        if route.model != line.model:
            body = spoken.edit(body, spoken.read(body), spoken.Edits(model=route.model))
        body, _ = route.channel.provider.adjust_request(body, route.channel.options)
        return openai_batch_lines.write_request(line, row.endpoint, body)

    async def _take(
        self, row: BatchRow, key: Key, candidate: Candidate, wire: "batch_wire.Wire", file_id: str
    ) -> BatchRow:
        """Keep and charge what stands in a file of the provider's."""
        results, records = list[Result](), list[Record]()
        async with aclosing(wire.lines(file_id)) as lines:
            async for text in lines:
                answered = openai_batch_lines.read_answered(text)
                if answered is None or not answered.number >= 1:
                    continue
                result, record = self._judge(row, key, candidate, answered)
                results.append(result)
                records += [record] if record is not None else []
                if len(results) >= TOGETHER:
                    row = await self._keep(row, candidate, results, records)
                    results, records = [], []
        return await self._keep(row, candidate, results, records)

    def _judge(self, row: BatchRow, key: Key, candidate: Candidate, answered: Answered) -> tuple[Result, Record | None]:
        """A line of ours, and what is charged for it."""
        id, shown = line_id(row.id, answered.number), shown_id(row.id, answered.number)
        good = answered.status in _OK
        if good:
            body = openai_batch_lines.write_answer(shown, answered.custom_id, answered.status, id, answered.body)
        elif answered.status:
            status, told = batch_words.refusal(candidate.route.channel.provider, answered, id)
            body = openai_batch_lines.write_answer(shown, answered.custom_id, status, id, told)
        else:
            body = openai_batch_lines.write_unanswered(shown, answered.custom_id, *batch_words.unrun(answered.code))
        result = Result(line=answered.number, failed=not good, body=body)
        if not good:
            return result, None
        operation, route = operation_at(row.endpoint), candidate.route
        spoken = dialect(operation.dialect)
        usage = Usage()
        try:
            seen = spoken.read_answer(answered.body, route.channel.provider)
            if not seen.empty:
                usage = seen.usage or spoken.estimate(b"{}", seen)
            quote = self._svc.prices.quote(operation.name, row.model, key.group, row.in_progress_at, row.discount)
            multiplier = quote.multiplier
            cost, price = quote.cost(usage, _TIER) if usage.units else (0, "")
        except GatewayError as error:
            log.warning("a batch's answer is not charged", batch=row.id, line=answered.number, error=error.code)
            usage, cost, price, multiplier = Usage(), 0, "", 0
        lasted = max(now_ms() - row.in_progress_at, 0) * 1000
        return result, Record(
            id,
            row.in_progress_at,
            row.user_id,
            row.key_id,
            key.group.name,
            operation.name,
            row.model,
            route.channel.id,
            route.model,
            answered.status,
            "completed" if usage.units else "empty",
            False,
            usage.estimated,
            usage.units,
            cost,
            lasted,
            lasted,
            0,
            price,
            multiplier,
            [],
            hold=row.hold_id if cost else "",
            day=self._day(row),
            request_id_upstream=answered.request_id,
        )

    async def _keep(
        self, row: BatchRow, candidate: Candidate, results: Sequence[Result], records: Sequence[Record]
    ) -> BatchRow:
        """Keep answers and charge them in one transaction; the batch as it is then. Lost."""
        if not results:
            return row
        units = msgspec.json.decode(row.usage, type=dict[str, int]) if row.usage else {}
        async with self._db.writing() as tx:
            before = await rows.done(tx, row.id) if records else set[int]()
            await capture(tx, records, at=now_ms())
            good, bad = await rows.keep(tx, row.id, results)
            fresh = {line_id(row.id, one.line) for one in results if one.line not in before}
            for record in records:
                if record.id in fresh:
                    for unit, count in record.units.items():
                        units[unit] = units.get(unit, 0) + count
            usage = msgspec.json.encode(units).decode() if units else ""
            values: dict[str, str | int] = {"completed": row.completed + good, "failed": row.failed + bad}
            values["usage"] = usage
            if not await rows.change(tx, row, values):
                raise Lost
        for record in records:
            if record.id in fresh:
                self._svc.metrics.ended(record, candidate.route.channel.name)
        await asyncio.sleep(0)
        return replace(row, completed=row.completed + good, failed=row.failed + bad, usage=usage)

    async def _note(self, row: BatchRow, values: dict[str, str | int]) -> None:
        async with self._db.writing() as tx:
            if not await rows.change(tx, row, values):
                raise Lost

    def _day(self, row: BatchRow) -> int:
        """The day in whose budgets the batch counts: that on which it began."""
        return day_of(row.in_progress_at, self._svc.bank.terms.offset_minutes)


def _given_up_at(row: BatchRow) -> int:
    """When nobody waits any longer; one that is cancelled and may not have been sent is not waited for till its time is over."""
    early = row.cancelling_at and not row.upstream_id
    return (row.cancelling_at if early else row.expires_at) + GIVEN_UP_MS


def no_money(row: BatchRow, error: NoFunds) -> str:
    """The errors of a batch for which not enough money could be held."""
    told = {"code": error.code, "message": error.message, "param": None, "line": None}
    log.info("no money for a batch", batch=row.id)
    return msgspec.json.encode([told]).decode()


def _told(refused: UpstreamRefused) -> str:
    """The errors of a batch that its provider refused."""
    said = openai_errors.read_error(refused.upstream_status, refused.body)
    told = {"code": said.code or "provider_refused", "message": said.message, "param": said.param, "line": None}
    return msgspec.json.encode([told]).decode()


def _refusal(row: BatchRow, line: Line, error: GatewayError) -> Result:
    """The answer to a line that can't be called at all."""
    id = line_id(row.id, line.number)
    said = openai_errors.write_error(error, id)
    body = openai_batch_lines.write_answer(shown_id(row.id, line.number), line.custom_id, error.status, id, said)
    return Result(line=line.number, failed=True, body=body)


def _binding(row: BatchRow) -> Binding:
    """Where a batch is known."""
    return Binding(
        kind="batch",
        public_id=row.id,
        upstream_id=row.upstream_id,
        channel_id=row.channel_id,
        credential_id=row.credential_id,
        user_id=row.user_id,
        model=row.model,
        created_at=row.created_at,
    )
