"""Answers a call out of another one, without HTTP: what a vendor does for its callers later (batches, evals)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from unigate.sandbox.serving import faults
from unigate.sandbox.serving.answer import Object, VendorError, Whole, encode
from unigate.sandbox.serving.face import Call, Face


@dataclass(frozen=True, slots=True)
class Answered:
    """How a call was answered; the body is the vendor's error where the status says so."""

    status: int
    body: object


#: Answers a POST for whoever made another call: that call, the path, the body.
Work = Callable[[Call, str, Object], Awaitable[Answered]]


def worker(face: Face) -> Work:
    """What answers calls of a face's operations; faults that a body names and that have a status or a delay apply."""
    handlers = {route.path: route.handler for route in face.routes if route.method == "POST"}

    async def answered(outer: Call, path: str, body: Object) -> Answered:
        call = replace(
            outer,
            number=outer.world.log.next_number(),
            method="POST",
            path=path,
            params={},
            query=QueryParams(),
            body=encode(body),
            fault=faults.NONE,
        )
        try:
            call = replace(call, fault=_fault(call, body))
            if call.fault.status is not None:
                raise face.failure(call.fault.status, call.fault.code)
            await asyncio.sleep(call.fault.get("slow-first-byte") or 0)
            answer = await handlers[path](call)
        except VendorError as error:
            told = face.error(error)
            return Answered(told.status, told.payload)
        if not isinstance(answer, Whole):
            raise TypeError(f"{path} streamed an answer that nobody hears")
        return Answered(answer.status, answer.payload)

    return answered


def _fault(call: Call, body: Object) -> faults.Fault:
    """The faults that a body names."""
    text = faults.marked(call.body)
    if not text:
        return faults.NONE
    try:
        fault = faults.parse(text)
    except ValueError as error:
        raise VendorError(400, f"sandbox: {error}", kind="sandbox_error", code="unknown_fault") from None
    active = call.world.faults.active(fault, credential=call.credential, model=str(body.get("model")), stream=False)
    return fault if active else faults.NONE
