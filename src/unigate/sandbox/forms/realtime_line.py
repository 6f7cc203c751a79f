"""How events of a realtime session go out: named, counted, paced, and spoiled by faults."""

import asyncio
from typing import Any

from unigate.sandbox.brain import seeds
from unigate.sandbox.serving import faults
from unigate.sandbox.serving.answer import Object, VendorError, encode
from unigate.sandbox.serving.line import Cut
from unigate.sandbox.serving.socket import Meeting


class Line:
    """The way to one caller."""

    def __init__(self, meeting: Meeting, *, beta: bool) -> None:
        self._meeting = meeting
        self._dice = seeds.dice("realtime", meeting.number)
        #: Of the base URL, and of the last text that the caller said.
        self._fault = meeting.fault
        self._said = faults.NONE
        self._contents = 0
        self.pace = meeting.world.options.tokens_per_second
        #: By which an item that was added is told.
        self.added = "conversation.item.created" if beta else "conversation.item.added"

    def name(self, prefix: str) -> str:
        """A fresh id."""
        return f"{prefix}_{seeds.letters(self._dice, 21)}"

    def heed(self, text: str) -> None:
        """A text of the caller: faults and pace that it names hold for the next response. VendorError for unknown ones."""
        marked = faults.marked(text.encode())
        self._said = faults.NONE
        self._contents = 0
        found = text.rpartition("[[pace:")[2].partition("]]")[0] if "[[pace:" in text else ""
        self.pace = float(found) if found.replace(".", "").isdigit() else self._meeting.world.options.tokens_per_second
        if marked:
            try:
                self._said = faults.parse(marked)
            except ValueError as error:
                raise VendorError(400, f"sandbox: {error}", kind="sandbox_error", code="unknown_fault") from None

    @property
    def fault(self) -> faults.Fault:
        """What goes wrong with the next response."""
        return self._fault | self._said

    @property
    def fault_status(self) -> bool:
        """The response is to fail."""
        return self._said.status is not None

    @property
    def empty(self) -> bool:
        """It is to say nothing."""
        return "empty" in self.fault

    @property
    def silent_usage(self) -> bool:
        """It is not to tell its usage."""
        return "missing-usage" in self.fault

    async def send(self, kind: str, **values: Any) -> None:
        """Send an event."""
        await self._meeting.wire.event({"type": kind, "event_id": self.name("event"), **values})

    async def content(self, tokens: int, kind: str, **values: Any) -> None:
        """Send an event of what the model says, when its tokens are due."""
        fault = self.fault
        if self._contents == fault.get("cut-after"):
            raise Cut(fault.text)
        if self._contents == fault.get("hang-after"):
            await asyncio.Event().wait()
        self._contents += 1
        wait = fault.get("slow") or (tokens / self.pace if self.pace else 0)
        if wait:
            await asyncio.sleep(wait)
        self._meeting.entry.sent_tokens += tokens
        if self._contents == fault.get("malformed-chunk"):
            await self._meeting.wire.text(encode({"type": kind, **values}).decode()[:-8])
            return
        await self.send(kind, **values)

    async def done(self, response: Object) -> None:
        """The end of a response."""
        if "missing-finish" not in self.fault:
            await self.send("response.done", response=response)

    async def error(self, error: VendorError, event_id: object = None) -> None:
        """An error of the vendor's."""
        told = {
            "type": error.kind,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "event_id": event_id,
        }
        await self.send("error", error=told)

    def used(self, usage: Object) -> None:
        """Count what a response consumed."""
        found = dict(self._meeting.entry.usage)
        for name, told in (("input", "input_tokens"), ("output", "output_tokens")):
            found[name] = found.get(name, 0) + usage[told]
        self._meeting.entry.usage = found
        self._meeting.world.accounts.charge(self._meeting.credential, usage["input_tokens"], usage["output_tokens"])
