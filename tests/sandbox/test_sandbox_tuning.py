"""The sandbox's fine-tuning: jobs through their states, what they tell, and files that are no good."""

import json
import secrets
from typing import Any

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob
from sandbox_client import Sandbox, eventually, user

MODEL = "gpt-4o-mini-2024-07-18"


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def talk(number: int = 0) -> dict[str, Any]:
    """One example."""
    return {"messages": [*user(f"What is {number} + 1?"), {"role": "assistant", "content": str(number + 1)}]}


def examples(*rows: Any, count: int = 10) -> bytes:
    """Lines of a file: so many good examples, then those rows."""
    return "\n".join(json.dumps(row) for row in (*map(talk, range(count)), *rows)).encode()


def upload(sdk: openai.OpenAI, data: bytes | None = None) -> str:
    """The id of a new file of examples."""
    data = examples() if data is None else data
    return sdk.files.create(file=("train.jsonl", data), purpose="fine-tune").id


def ended(sdk: openai.OpenAI, id: str) -> FineTuningJob:
    """The job at its end."""

    def look() -> FineTuningJob | None:
        job = sdk.fine_tuning.jobs.retrieve(id)
        return job if job.status in ("succeeded", "failed", "cancelled") else None

    job: FineTuningJob = eventually(look)
    return job


def test_a_job_until_it_succeeds(sdk: openai.OpenAI) -> None:
    train, check = upload(sdk), upload(sdk, examples(count=2))
    made = sdk.fine_tuning.jobs.create(
        model="gpt-4o-mini",
        training_file=train,
        validation_file=check,
        suffix="sums",
        seed=7,
        metadata={"for": "me"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 5}}},
    )
    assert (made.status, made.model, made.seed, made.fine_tuned_model) == ("validating_files", MODEL, 7, None)
    assert made.id.startswith("ftjob-") and made.training_file == train and made.validation_file == check
    done = ended(sdk, made.id)
    assert done.status == "succeeded" and done.error is None and done.finished_at and done.trained_tokens
    assert (done.hyperparameters.n_epochs, done.hyperparameters.batch_size) == (2, 5)
    model = str(done.fine_tuned_model)
    assert model.startswith(f"ft:{MODEL}:sandbox:sums:")
    assert sdk.chat.completions.create(model=model, messages=user("What is 2 + 2?")).choices[0].message.content == "4"
    assert sdk.models.retrieve(model).id == model
    results = sdk.files.content(done.result_files[0]).text.splitlines()
    assert results[0].startswith("step,train_loss") and "valid_loss" in results[0] and len(results) == 1 + 4
    assert sdk.files.retrieve(done.result_files[0]).purpose == "fine-tune-results"
    kept = sdk.fine_tuning.jobs.checkpoints.list(made.id).data
    assert [one.step_number for one in kept] == [4, 2]
    assert kept[0].fine_tuned_model_checkpoint == model
    assert kept[1].fine_tuned_model_checkpoint == f"{model}:ckpt-step-2"
    assert kept[0].metrics.train_loss < kept[1].metrics.train_loss  # type: ignore[operator]
    events = list(sdk.fine_tuning.jobs.list_events(made.id, limit=3))
    told = [event.message for event in events]
    assert told[0] == "The job has successfully completed" and told[-1] == f"Created fine-tuning job: {made.id}"
    assert sum(event.type == "metrics" for event in events) == 4
    assert [job.id for job in sdk.fine_tuning.jobs.list()] == [made.id]
    assert sdk.fine_tuning.jobs.list(metadata={"for": "you"}).data == []


def test_pausing_and_going_on(sdk: openai.OpenAI) -> None:
    made = sdk.fine_tuning.jobs.create(model=MODEL, training_file=upload(sdk), metadata={"x": "[[speed:0.5]]"})
    eventually(lambda: sdk.fine_tuning.jobs.retrieve(made.id).status in ("queued", "running"))
    assert str(sdk.fine_tuning.jobs.pause(made.id).status) == "paused"
    assert str(sdk.fine_tuning.jobs.retrieve(made.id).status) == "paused"
    with pytest.raises(openai.BadRequestError, match="Cannot pause a job with status 'paused'"):
        sdk.fine_tuning.jobs.pause(made.id)
    assert sdk.fine_tuning.jobs.resume(made.id).status in ("queued", "running")
    with pytest.raises(openai.BadRequestError, match="Cannot resume a job"):
        sdk.fine_tuning.jobs.resume(made.id)
    assert ended(sdk, made.id).status == "succeeded"


def test_cancelling(sdk: openai.OpenAI) -> None:
    made = sdk.fine_tuning.jobs.create(model=MODEL, training_file=upload(sdk), metadata={"x": "[[speed:0.01]]"})
    gone = sdk.fine_tuning.jobs.cancel(made.id)
    assert gone.status == "cancelled" and gone.finished_at and gone.fine_tuned_model is None
    with pytest.raises(openai.BadRequestError, match=f"Job has already completed: {made.id}"):
        sdk.fine_tuning.jobs.cancel(made.id)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (examples(count=3), "has 3 example"),
        (examples([]), "Line 11 is not a JSON object"),
        (examples({"messages": []}), "Line 11 has no 'messages'"),
        (examples({"messages": user("Hello")}), "Line 11 has no message of the role 'assistant'"),
        (examples({"messages": [{"role": "robot", "content": "x"}]}), "without a role that is known, at 1"),
        (examples({"messages": [{"role": "user"}]}), "without content, at 1"),
    ],
)
def test_bad_examples(sdk: openai.OpenAI, data: bytes, told: str) -> None:
    done = ended(sdk, sdk.fine_tuning.jobs.create(model=MODEL, training_file=upload(sdk, data)).id)
    assert done.status == "failed" and done.error and done.fine_tuned_model is None
    assert (done.error.code, done.error.param) == ("invalid_training_file", "training_file")
    assert told in done.error.message
    assert sdk.fine_tuning.jobs.list_events(done.id, limit=1).data[0].level == "error"


@pytest.mark.parametrize("good", [True, False])
def test_preferences(sdk: openai.OpenAI, good: bool) -> None:
    answer = [{"role": "assistant", "content": "Yes"}]
    row = {"input": {"messages": user("Is it?")}, "preferred_output": answer}
    row |= {"non_preferred_output": answer} if good else {}
    file = upload(sdk, examples(*[row] * 10, count=0))
    made = sdk.fine_tuning.jobs.create(model=MODEL, training_file=file, method={"type": "dpo"})
    assert ended(sdk, made.id).status == ("succeeded" if good else "failed")


def test_faults_of_jobs(sdk: openai.OpenAI) -> None:
    file = upload(sdk)
    failed = sdk.fine_tuning.jobs.create(model=MODEL, training_file=file, metadata={"x": "[[fault:fail-at:60]]"})
    done = ended(sdk, failed.id)
    assert done.status == "failed" and done.error and done.error.code == "server_error"
    gone = sdk.fine_tuning.jobs.create(model=MODEL, training_file=file, metadata={"x": "[[fault:vanish]]"})
    with pytest.raises(openai.NotFoundError):
        sdk.fine_tuning.jobs.retrieve(gone.id)


def test_bad_calls(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    file = upload(sdk)
    other = sdk.files.create(file=("a.txt", b"x"), purpose="user_data").id
    good = {"model": MODEL, "training_file": file}
    head = {"authorization": f"Bearer {sdk.api_key}"}
    for change, param in (
        ({"model": "whisper-1"}, "model"),
        ({"model": "none"}, "model"),
        ({"training_file": None}, "training_file"),
        ({"training_file": "file-none"}, "training_file"),
        ({"training_file": other}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"method": {"type": "reinforcement"}}, "method.reinforcement.grader"),
        ({"colour": "red"}, "colour"),
    ):
        reply = sandbox.http.post(f"{sandbox.url}/openai/v1/fine_tuning/jobs", json={**good, **change}, headers=head)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), change
    made = sdk.fine_tuning.jobs.create(model=MODEL, training_file=file)
    stranger = sandbox.openai(key=f"sk-{secrets.token_hex(8)}")
    with pytest.raises(openai.NotFoundError, match="Could not find fine tune") as refused:
        stranger.fine_tuning.jobs.retrieve(made.id)
    assert (refused.value.param, refused.value.code) == ("fine_tune_id", "fine_tune_not_found")
