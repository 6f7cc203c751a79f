"""Replicate's form of tasks: what callbacks tell, what streams tell and go on from, what lists ask, and uploaded files."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from support.task_cases import BASE, NOW, CaseView
from unigate.base.errors import BadRequest, CallerError, Forbidden, NoFunds, NotFound, TooMany, UpstreamRefused
from unigate.dialects import operations, replicate
from unigate.dialects.replicate_answer import progress
from unigate.dialects.replicate_errors import Invalid
from unigate.dialects.replicate_models import MODELS, VERSIONS
from unigate.dialects.replicate_shown import openapi_schema
from unigate.spec.binding import Binding
from unigate.spec.task import Asset, Draft, Failure, Notify, Submission, Task

ROWS = {row.name: row for row in operations()}
VIEW = CaseView()
START = Task(
    id="gm3qorzdhgbfurvjtvhg6dckhu",
    called="replicate.models.predictions.create",
    operation="replicate.prediction",
    dialect="replicate",
    user_id="usr_1",
    key_id="key_1",
    model="black-forest-labs/flux-schnell",
    state="running",
    queued=True,
    input={"input": {"prompt": "x"}},
    created_at=NOW,
    version=1,
)
RUNNING = replace(START, queued=False, started_at=NOW + 10, version=2, detail={"logs": "one\n", "output": None})
LATER = replace(RUNNING, version=3, detail={"logs": "one\ntwo\n", "output": ["https://v.example/0.png"]})
ASSETS = tuple(
    Asset(id=f"ast_{n}", task_id=START.id, kind="image", media_type="", source=f"https://v.example/{n}.png")
    for n in range(2)
)
DONE = replace(
    LATER,
    state="succeeded",
    version=4,
    finished_at=NOW + 99,
    outputs=ASSETS,
    detail={"logs": "one\ntwo\n", "output": [one.source for one in ASSETS]},
)
FAILED = replace(LATER, state="failed", version=4, finished_at=NOW + 99, error=Failure(code="x", message="It broke."))


def asks(*events: str) -> Notify:
    return Notify(url="https://app.example", events=events)


@pytest.mark.parametrize(
    ("wanted", "before", "after", "told"),
    [
        ((), None, START, ()),
        ((), START, RUNNING, ()),
        ((), RUNNING, LATER, ("output",)),
        ((), LATER, LATER, ()),
        ((), LATER, DONE, ("completed",)),
        ((), DONE, DONE, ()),
        (("start", "logs"), START, RUNNING, ("start", "logs")),
        (("start", "logs"), RUNNING, LATER, ("logs",)),
        (("start",), START, DONE, ("start",)),
        (("start",), RUNNING, DONE, ()),
        (("output",), RUNNING, DONE, ("output",)),
        (("completed",), RUNNING, LATER, ()),
        (("completed",), START, FAILED, ("completed",)),
        (("start", "output", "logs", "completed"), START, DONE, ("completed",)),
    ],
)
def test_callbacks_tell_what_was_asked_for(
    wanted: tuple[str, ...], before: Task | None, after: Task, told: tuple[str, ...]
) -> None:
    heard = replace(after, notify=asks(*wanted))
    assert replicate.events(before and replace(before, notify=heard.notify), heard) == told


def test_a_callback_is_the_prediction() -> None:
    head, body = replicate.write_notice(DONE, "completed", VIEW)
    assert head == ((b"content-type", b"application/json"),)
    assert body == replicate.write_task(DONE, VIEW)
    assert replicate.SIGNS
    assert msgspec.json.decode(replicate.write_secret("whsec_x").body) == {"key": "whsec_x"}


def told(stream: bytes) -> list[tuple[str, str, str]]:
    """Events as a client reads them: name, id, data."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        if block.startswith(":"):
            continue
        lines = [line.partition(": ")[::2] for line in block.split("\n")]
        fields = dict(lines)
        found.append((fields["event"], fields["id"], "\n".join(text for name, text in lines if name == "data")))
    return found


LINK = f"{BASE}/files/ast_"


def test_a_stream_tells_each_thing_once() -> None:
    steps = [(None, START), (START, RUNNING), (RUNNING, LATER), (LATER, DONE)]
    assert [told(replicate.write_events(before, after, VIEW)) for before, after in steps] == [
        [],
        [("logs", "0.4", "one\n")],
        [("output", "1.4", "https://v.example/0.png"), ("logs", "1.8", "two\n")],
        [("output", "2.8", f"{LINK}1"), ("done", "2.8", "{}")],
    ]


@pytest.mark.parametrize(
    ("last", "names"),
    [
        ("", ["output", "output", "logs", "done"]),
        ("0.4", ["output", "output", "logs", "done"]),
        ("1.8", ["output", "done"]),
        ("2.8", ["done"]),
        ("nonsense", ["output", "output", "logs", "done"]),
        ("99999999999.-1", ["output", "output", "logs", "done"]),
    ],
)
def test_who_comes_back_gets_the_rest(last: str, names: list[str]) -> None:
    assert [name for name, _, _ in told(replicate.write_events(None, DONE, VIEW, last))] == names


def test_no_log_ends_an_event_before_its_time() -> None:
    bars = replace(RUNNING, detail={"logs": " 50%|x\r100%|x\r\nevent: done\rdata: {}\n"})
    stream = replicate.write_events(START, bars, VIEW)
    assert b"\r" not in stream
    assert told(stream) == [("logs", "0.36", " 50%|x\n100%|x\nevent: done\ndata: {}\n")]


def test_logs_are_kept_from_their_beginning() -> None:
    head = "a" * 99_999
    kept = [progress({}, {"status": "processing", "logs": head + more}, None) for more in ("", "bc", "bcd 70%|")]
    assert [one.detail["logs"] for one in kept] == [head, head + "b", head + "b"]
    assert kept[2].percent == 70


def test_a_stream_tells_why_it_ends() -> None:
    assert told(replicate.write_events(LATER, FAILED, VIEW)) == [
        ("error", "1.8", '{"detail":"It broke."}'),
        ("done", "1.8", '{"reason":"error"}'),
    ]
    canceled = replace(LATER, state="canceled")
    assert told(replicate.write_events(LATER, canceled, VIEW)) == [("done", "1.8", '{"reason":"canceled"}')]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": "waiting"}, "starting"),
        ({"state": "submitting"}, "starting"),
        ({"queued": True}, "starting"),
        ({}, "processing"),
        ({"state": "canceled"}, "canceled"),
        ({"state": "failed"}, "failed"),
        ({"state": "failed", "detail": {"status": "aborted"}}, "aborted"),
        ({"state": "unknown"}, "failed"),
        (
            {"state": "failed", "error": Failure(code="task_timeout", message=""), "input": {"cancel_after": 5}},
            "canceled",
        ),
        (
            {
                "state": "failed",
                "error": Failure(code="task_timeout", message=""),
                "input": {"cancel_after": 5},
                "started_at": 0,
            },
            "aborted",
        ),
    ],
)
def test_states(changes: Mapping[str, object], status: str) -> None:
    shown = msgspec.json.decode(replicate.write_task(replace(RUNNING, **changes), VIEW))  # type: ignore[arg-type]
    assert shown["status"] == status
    assert (shown["error"] is None) == (status not in {"failed", "aborted"})
    accepted = msgspec.json.decode(replicate.write_accepted(replace(RUNNING, **changes), VIEW).body)  # type: ignore[arg-type]
    assert accepted["status"] == ("starting" if status == "processing" else status)


def test_lists_keep_their_filters() -> None:
    asked = replicate.read_page(query("created_after=2026-01-31T00:00:00Z&created_before=2026-02-01&cursor=abc"))
    assert (asked.limit, asked.cursor, asked.dialect) == (100, "abc", "replicate")
    assert (asked.since, asked.until) == (1_769_817_600_000, 1_769_904_000_000)
    again = replicate.read_page(query(replicate.next_query(asked, "def")))
    assert again == replace(asked, cursor="def")
    page = msgspec.json.decode(replicate.write_tasks([DONE], VIEW, "cursor=def"))
    assert page["next"] == f"{BASE}/replicate/v1/predictions?cursor=def"
    assert [one["id"] for one in page["results"]] == [DONE.id]
    with pytest.raises(Invalid):
        replicate.read_page(query("created_after=yesterday"))


def query(text: str) -> Submission:
    return Submission(
        operation=ROWS["replicate.predictions.list"],
        path="/replicate/v1/predictions",
        query=text,
        params={},
        headers={},
        body=b"",
    )


def draft(given: Mapping[str, object]) -> Draft:
    return replicate.read_task(
        Submission(
            operation=ROWS["replicate.models.predictions.create"],
            path="/replicate/v1/models/cjwbw/rembg/predictions",
            query="",
            params={"owner": "cjwbw", "name": "rembg"},
            headers={},
            body=msgspec.json.encode({"input": given}),
        )
    )


def binding(id: str, channel: str = "ch_1") -> Binding:
    return Binding(
        kind="replicate_file",
        public_id=id,
        upstream_id=f"https://api.replicate.com/v1/files/{id}",
        channel_id=channel,
        credential_id="crd_1",
        user_id="usr_1",
        model="",
        created_at=1,
    )


def test_uploaded_files_lead_to_where_they_lie() -> None:
    ours = f"{BASE}/replicate/v1/files/"
    made = draft({"image": f"{ours}a", "more": [{"deep": f"{ours}b"}, "https://other.example/a.png"]})
    assert replicate.kept_things(made) == (("replicate_file", "a"), ("replicate_file", "b"))
    found = replicate.with_kept(made, {"a": binding("a"), "b": binding("b")})
    assert found.pinned == binding("a")
    assert found.body["input"] == {
        "image": "https://api.replicate.com/v1/files/a",
        "more": [{"deep": "https://api.replicate.com/v1/files/b"}, "https://other.example/a.png"],
    }
    assert found.input == made.input, "callers see their own addresses"
    with pytest.raises(Invalid, match="file b does not exist"):
        replicate.with_kept(made, {"a": binding("a")})
    with pytest.raises(Invalid, match="different providers"):
        replicate.with_kept(made, {"a": binding("a"), "b": binding("b", "ch_2")})
    assert replicate.kept_things(draft({"image": "https://other.example/a.png"})) == ()


def test_what_is_remembered_of_files_in_an_input_is_small() -> None:
    address = "data:image/png;base64," + "A" * 5000
    made = draft({"image": address})
    assert made.body["input"] == {"image": address}
    assert len(msgspec.json.encode(made.input)) < 200


def test_ids_look_like_the_vendors() -> None:
    ids = {draft({"image": "https://x.example"}).task_id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) == 26 and id.isalnum() and id == id.lower() for id in ids)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotFound("The model 'a/b' does not exist.", code="model_not_found"), 404, "The model 'a/b' does not exist."),
        (NotFound(f"The model '{'ab' * 32}' does not exist.", code="model_not_found"), 422, "specified version"),
        (Forbidden(f"No price is set for {'ab' * 32}.", code="price_missing"), 422, "specified version"),
        (Forbidden(f"No price is set for a/b:{'ab' * 32}.", code="price_missing"), 422, "specified version"),
        (Forbidden("No price is set for a/b.", code="price_missing"), 403, "No price"),
        (BadRequest("At most 50.", code="too_many_files"), 422, "At most 50."),
        (NoFunds(), 402, "quota"),
        (TooMany(retry_after=2.5), 429, "Expected available in 3 seconds."),
        (UpstreamRefused(413, b"{}"), 413, ""),
    ],
)
def test_errors(error: CallerError, status: int, said: str) -> None:
    assert replicate.error_status(error) == status
    if not isinstance(error, UpstreamRefused):
        problem = msgspec.json.decode(replicate.write_error(error, "req_1"))
        assert problem["status"] == status
        assert said in problem["detail"]


def test_models_have_schemas_that_clients_can_read() -> None:
    assert len(MODELS) == 20
    assert len(VERSIONS) == 10
    for known in MODELS.values():
        schemas: object = openapi_schema(known)["components"]
        assert isinstance(schemas, dict)
        shown = schemas["schemas"]
        assert set(shown["Input"].get("required", ())) == {name for name, f in known.fields.items() if f.needed}
        assert (shown["Output"]["type"] == "array") is known.lists
        for field in shown["Input"]["properties"].values():
            assert "default" not in field or "enum" not in field or field["default"] in field["enum"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("NSFW content detected. Try running it again, or try a different prompt.", "moderation_blocked"),
        ("The input or output was flagged as sensitive. Please try again. (E005)", "moderation_blocked"),
        ("CUDA out of memory", "prediction_failed"),
        ("", "prediction_failed"),
        (None, "prediction_failed"),
    ],
)
def test_what_is_against_the_rules_is_told_from_what_failed(words: str | None, code: str) -> None:
    found = progress({}, {"status": "failed", "error": words}, None)
    assert found.error is not None
    assert (found.error.code, bool(found.error.message)) == (code, True)
