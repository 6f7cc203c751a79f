"""Replicate's API: predictions, files, models, under `/replicate/v1`."""

from unigate.dialects.replicate_read import EVENTS
from unigate.reference import replicate_inputs
from unigate.reference import replicate_things as things
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, Schema, either, flag, many, mapping, maybe, only, record, ref, text

_HEADERS = {
    "prefer": text(
        "`wait` or `wait=n`: the reply waits up to 60 or n seconds (1 to 60) for the end. Over, it is `starting`."
    ),
    "cancel-after": text("A span such as `90s`, `5m` or `1h30m`, at least 5 seconds: then it is canceled."),
}
_OF_MODEL = {"owner": text(least=1), "name": text(least=1)}


def _body(needs: tuple[str, ...], more: dict[str, Schema] | None = None) -> Schema:
    inputs = [ref(name) for name in replicate_inputs.schemas()]
    return record(
        {
            **(more or {}),
            "input": either(*inputs, mapping(ANYTHING, "Of a model that is not described here."), about="By model."),
            "webhook": maybe(text("Told of the prediction, signed by the secret of `GET /webhooks/default/secret`.")),
            "webhook_events_filter": maybe(many(text(of=EVENTS), "Of what; else of outputs and the end.")),
            "stream": maybe(flag("Without effect: every prediction can be streamed.")),
        },
        needs=needs,
    )


def _creates(name: str, title: str, about: str, request: Schema, examples: tuple[Example, ...]) -> Entry:
    return Entry(
        operation=f"replicate.{name}",
        title=title,
        about=about,
        request=request,
        answer=ref("ReplicatePrediction"),
        shown=things.SHOWN,
        status=201,
        headers=_HEADERS,
        places=_OF_MODEL if any(example.path for example in examples) else {},
        examples=examples,
        fails=(404, 422),
    )


def _page_of(schema: Schema) -> Schema:
    return record(
        {"previous": maybe(text()), "next": maybe(text("The next page.")), "results": many(schema)},
        needs=("previous", "next", "results"),
    )


_IN_PATH = {"id": text("The prediction's id.", least=1)}
_ONE = (Example(title="A prediction", path={"id": things.ID}),)
_SOME_MODEL = {"owner": "stability-ai", "name": "sdxl"}
_ASKS = (404, 502, 504)
_OF_FILE = {"id": text("The file's id.", least=1)}
_A_FILE = (Example(title="A file", path={"id": things.FILE_ID}),)

_PREDICTIONS = (
    _creates(
        "predictions.create",
        "Run a version",
        "`version` is a version's id, `owner/name:id`, or the name of a model.",
        _body(("version", "input"), {"version": text(least=1)}),
        (
            Example(
                title="By version",
                body={"version": things.SDXL.version, "input": {"prompt": "A lighthouse in a storm"}},
            ),
        ),
    ),
    _creates(
        "models.predictions.create",
        "Run a model",
        "By the model's name; of community models the version that the gateway knows is run. "
        "Pictures and films are charged by their number, community models by the second.",
        _body(("input",)),
        replicate_inputs.examples(),
    ),
    _creates(
        "deployments.predictions.create",
        "Run a deployment",
        "A deployment of the operator's account; its name here and in prices is `deployments/owner/name`.",
        _body(("input",)),
        (
            Example(
                title="A deployment",
                body={"input": {"prompt": "A lighthouse in a storm"}},
                path={"owner": "sandbox", "name": "demo"},
            ),
        ),
    ),
    Entry(
        operation="replicate.predictions.list",
        title="List predictions",
        about="The user's, newest first, 100 a page.",
        answer=_page_of(ref("ReplicatePrediction")),
        shown={"previous": None, "next": None, "results": [things.DONE]},
        query={
            "cursor": text("Of the page before."),
            "created_after": text("A moment (ISO 8601)."),
            "created_before": text("A moment (ISO 8601)."),
        },
        examples=(Example(title="The latest"), Example(title="Since", query={"created_after": "2026-01-31T00:00:00Z"})),
        fails=(422,),
    ),
    Entry(
        operation="replicate.predictions.get",
        title="Get a prediction",
        about="Answered from the gateway's own state, as often as you like.",
        answer=ref("ReplicatePrediction"),
        shown=things.DONE,
        places=_IN_PATH,
        examples=_ONE,
        fails=(404,),
    ),
    Entry(
        operation="replicate.predictions.cancel",
        title="Cancel a prediction",
        about="It may still be `processing` in the answer. What has ended stays as it is.",
        answer=ref("ReplicatePrediction"),
        shown={**things.SHOWN, "status": "canceled"},
        places=_IN_PATH,
        examples=_ONE,
        fails=(404, 409, 502, 504),
    ),
    Entry(
        operation="replicate.predictions.stream",
        title="Stream a prediction",
        about="Server-sent events: `output` and `logs` as they come, `error` where it fails, `done` at the end.",
        event=text("An address or text; the logs; JSON with `detail`, or with `reason`."),
        event_text=True,
        stream="An event; its id says how far it tells, for `last-event-id`.",
        places=_IN_PATH,
        examples=_ONE,
        fails=(404,),
    ),
    Entry(
        operation="replicate.streams",
        title="Stream a prediction by its address",
        about="The address that a prediction names as `urls.stream`: it is signed, works for a day and needs no key.",
        event=text("An address or text; the logs; JSON with `detail`, or with `reason`."),
        event_text=True,
        stream="An event; its id says how far it tells, for `last-event-id`.",
        places=_IN_PATH,
        examples=_ONE,
        fails=(404,),
    ),
)
_MODELS = (
    Entry(
        operation="replicate.models.get",
        title="Get a model",
        about="A model that the key may use.",
        answer=ref("ReplicateModel"),
        shown={
            "url": "https://replicate.com/stability-ai/sdxl",
            **_SOME_MODEL,
            "description": things.SDXL.about,
            "visibility": "public",
            "run_count": 0,
            "latest_version": things.SHOWN_VERSION,
        },
        places=_OF_MODEL,
        examples=(Example(title="A model", path=_SOME_MODEL),),
        fails=(404,),
    ),
    Entry(
        operation="replicate.models.versions.list",
        title="List a model's versions",
        about="Those that the gateway knows: none of models that are called by their name.",
        answer=_page_of(ref("ReplicateVersion")),
        shown={"previous": None, "next": None, "results": [things.SHOWN_VERSION]},
        places=_OF_MODEL,
        examples=(Example(title="A model's", path=_SOME_MODEL),),
        fails=(404,),
    ),
    Entry(
        operation="replicate.models.versions.get",
        title="Get a version",
        about="With the schema of its input and output.",
        answer=ref("ReplicateVersion"),
        shown=things.SHOWN_VERSION,
        places={**_OF_MODEL, "version": text("Its id.", least=1)},
        examples=(Example(title="A version", path={**_SOME_MODEL, "version": things.SDXL.version}),),
        fails=(404,),
    ),
)
_FILES = (
    Entry(
        operation="replicate.files.create",
        title="Upload a file",
        about="Its address can stand in inputs, whose predictions then run where the file lies. The vendor keeps it for a day.",
        request=record(
            {
                "content": text("The file."),
                "filename": text(most=255),
                "type": text("Its media type."),
                "metadata": text("JSON."),
            },
            needs=("content",),
        ),
        request_type="multipart/form-data",
        answer=ref("ReplicateFile"),
        shown=things.SHOWN_FILE,
        status=201,
        examples=(Example(title="A text", body={"content": "Hello"}),),
        fails=(404, 415, 422, 502, 504),
    ),
    Entry(
        operation="replicate.files.list",
        title="List files",
        about="The user's, newest first, 20 a page.",
        answer=_page_of(ref("ReplicateFile")),
        shown={"previous": None, "next": None, "results": [things.SHOWN_FILE]},
        query={"cursor": text("Of the page before.")},
        examples=(Example(title="The latest"),),
        fails=_ASKS,
    ),
    Entry(
        operation="replicate.files.get",
        title="Get a file",
        about="What the vendor says of it.",
        answer=ref("ReplicateFile"),
        shown=things.SHOWN_FILE,
        places=_OF_FILE,
        examples=_A_FILE,
        fails=_ASKS,
    ),
    Entry(
        operation="replicate.files.delete",
        title="Delete a file",
        about="At the vendor too.",
        status=204,
        places=_OF_FILE,
        examples=_A_FILE,
        fails=_ASKS,
    ),
    Entry(
        operation="replicate.files.download",
        title="Download a file",
        about="Its bytes, where the vendor's signature (`owner`, `expiry`, `signature`) is right.",
        answer=ANYTHING,
        answer_type="*/*",
        places=_OF_FILE,
        query={"owner": text(), "expiry": text(), "signature": text()},
        examples=_A_FILE,
        fails=(403, *_ASKS),
    ),
)
_OTHERS = (
    Entry(
        operation="replicate.webhooks.secret",
        title="Get the secret of webhooks",
        about="By which callbacks are signed (Standard Webhooks); of the gateway, one for each user.",
        answer=record({"key": text("`whsec_` and base64.")}, needs=("key",)),
        shown={"key": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"},
        examples=(Example(title="The secret"),),
    ),
    Entry(
        operation="replicate.account",
        title="Get the account",
        about="Whose key it is.",
        answer=record({"type": only("user"), "username": text(), "name": text(), "github_url": text()}),
        shown={"type": "user", "username": "alice", "name": "alice", "github_url": ""},
        examples=(Example(title="The account"),),
    ),
)
PAGE = Page(
    title="Replicate",
    about="Replicate's API as its SDKs call it: base URL `/replicate` (Python) or `/replicate/v1` (JavaScript).",
    entries=(*_PREDICTIONS, *_MODELS, *_FILES, *_OTHERS),
    schemas={
        "ReplicatePrediction": things.PREDICTION,
        "ReplicateModel": things.MODEL,
        "ReplicateVersion": things.VERSION,
        "ReplicateFile": things.FILE,
        "ReplicateProblem": things.PROBLEM,
        **replicate_inputs.schemas(),
    },
    error="ReplicateProblem",
    error_type="application/problem+json",
    refusal="ReplicateProblem",
)
