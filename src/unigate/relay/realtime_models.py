"""Which models a realtime session uses: the one that it was opened for, and one that writes down what the caller says.

The second is named inside the session, so its right and its price are looked at when the caller asks for it, and again when
the provider says what it really does.
"""

from dataclasses import dataclass

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest
from unigate.billing.prices import Quote
from unigate.dialects import openai_realtime_events as events
from unigate.dialects.openai_realtime_events import CallerEvent, SessionFacts
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.plans import upstream_name


@dataclass(frozen=True, slots=True)
class Writing:
    """The model that writes down, by its public name, and what it costs."""

    model: str
    quote: Quote


class Models:
    """The models of one session."""

    def __init__(self, call: Call, svc: Services, candidate: Candidate) -> None:
        self._call = call
        self._svc = svc
        self._candidate = candidate
        #: What callers asked for by its name at the provider -> public name.
        self._public: dict[str, str] = {}
        #: None: what the caller says is not written down.
        self.writes: Writing | None = None

    def update(self, data: bytes, event: CallerEvent) -> bytes:
        """A caller's update of the session as the provider gets it. BadRequest, Forbidden (price, model)."""
        asked = events.read_session(event.session)
        call, route = self._call, self._candidate.route
        model = None
        if asked.model is not None and asked.model not in {call.facts.model, route.model}:
            raise BadRequest(
                "The model of a session cannot be changed: open another session for it.", param="session.model"
            )
        if asked.model is not None and asked.model != route.model:
            model = route.model
        writer = None
        if asked.transcription:
            self.writing(asked.transcription)
            name = upstream_name(route.channel.models, asked.transcription) or asked.transcription
            self._public[name] = asked.transcription
            writer = name if name != asked.transcription else None
        return data if model is None and writer is None else events.with_models(data, model, writer)

    def told(self, facts: SessionFacts) -> None:
        """The provider says how the session is. Forbidden where it is written down by what may not be used."""
        name = facts.transcription
        self.writes = self.writing(self._public.get(name, name)) if name else None

    def writing(self, model: str) -> Writing:
        """What it takes to have something written down by a model; Forbidden."""
        call, svc = self._call, self._svc
        at = now_ms()
        svc.keys.check(call.key, model, call.x.client, at, call.operation)
        return Writing(model, svc.prices.quote(call.operation.name, model, call.key.group, at))
