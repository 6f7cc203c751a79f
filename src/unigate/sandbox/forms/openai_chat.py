"""The operations of OpenAI's dialect as handlers: chat completions and models. A face says in what manner."""

from unigate.base import clock
from unigate.sandbox.forms import openai_chat_pictures, openai_named, openai_request, outcome, platform_files
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.forms.openai_write import Writer
from unigate.sandbox.serving.answer import Answer, Object, Stream, Whole
from unigate.sandbox.serving.face import Call, Handler


def chat(manner: Manner) -> Handler:
    """POST /chat/completions."""

    async def handle(call: Call) -> Answer:
        """Answer a chat call."""
        body = openai_request.decode(call.body)
        manner.check(body)
        model = openai_named.model(manner, call, body, "chat")
        openai_chat_pictures.accept(body, model)
        asked = openai_request.read(body, model, platform_files.library(call))
        size = outcome.measure(asked.prompt, model)
        openai_chat_pictures.refuse(asked)
        written = manner
        if openai_chat_pictures.draws(model) and "empty" not in call.fault:
            choices, written = await openai_chat_pictures.answered(call, asked, manner)
        else:
            choices = outcome.answer(asked, shown=manner.thoughts(body) is not None, empty="empty" in call.fault)
        cached = call.world.prefixes.seen(f"{call.credential} {model.name}", size.pieces, *manner.cache)
        result = outcome.Outcome(asked=asked, size=size, choices=choices, cached=cached)
        call.world.accounts.charge(call.credential, size.total, result.output)
        writer = Writer(result, written, call.number, clock.now_ms() // 1000)
        if asked.stream:
            return Stream(events=writer.stream(), usage=result.units(), model=model.name, pace=model.pace)
        return Whole(
            payload=writer.whole(),
            indent=manner.indent,
            usage=result.units(),
            tokens=result.output,
            model=model.name,
            pace=model.pace,
        )

    return handle


def list_models(manner: Manner) -> Handler:
    """GET /models."""

    async def handle(_call: Call) -> Answer:
        """List the models."""
        rows = [_shown(model) for model in manner.models.listed()]
        return Whole(payload={"object": "list", "data": rows}, indent=manner.indent)

    return handle


def get_model(manner: Manner) -> Handler:
    """GET /models/{model}."""

    async def handle(call: Call) -> Answer:
        """Show one model."""
        model = manner.models.find(call.params["model"])
        if model is None:
            raise manner.no_model(call.params["model"])
        return Whole(payload=_shown(model), indent=manner.indent)

    return handle


def _shown(model: Model) -> Object:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": model.owner}
