"""Replicate's official client against the gateway with the sandbox behind it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import Webhooks

from support.replicate import CHANNELS, FAST, REMBG, SCHNELL, SDXL, client, fetched, opened, photo
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Replicate."""
    private = "settings: {notify: {allow_private_targets: true}}\n"
    built = set_stage(tmp_path_factory.mktemp("replicate"), vendors, CHANNELS + private)
    yield built
    built.sound()
    built.stop()


@pytest.fixture
def replicate(stage: Stage) -> Iterator[Client]:
    with client(stage) as made:
        yield made


@pytest.mark.endpoint("I14")
def test_run_by_name_and_by_version(stage: Stage, replicate: Client) -> None:
    (url,) = replicate.run(SCHNELL, input={"prompt": "a fox", "output_format": "png", **FAST})
    assert str(url).startswith(stage.url), "the vendor's addresses do not reach callers"
    assert opened(fetched(url)).size == (512, 512)
    (url,) = replicate.run(SDXL, input={"prompt": "a fox", "width": 64, "height": 64, **FAST})
    assert opened(fetched(url)).size == (64, 64)
    (url,) = replicate.run("stability-ai/sdxl", input={"prompt": "a fox", "width": 64, "height": 128, **FAST})
    assert opened(fetched(url)).size == (64, 128)


def test_run_polls_where_it_does_not_wait_or_the_wait_is_over(replicate: Client) -> None:
    (url,) = replicate.run(SCHNELL, input={"prompt": "a fox", **FAST}, wait=False)
    assert opened(fetched(url)).size == (512, 512)
    (url,) = replicate.run(SCHNELL, input={"prompt": "a fox [[speed:1]]", "megapixels": "0.25"}, wait=1)
    assert opened(fetched(url)).size == (512, 512)


def test_a_model_that_yields_gives_an_iterator(replicate: Client) -> None:
    given = {"prompt_start": "a", "prompt_end": "b", "width": 128, "height": 128, "num_animation_frames": 2}
    version = replicate.models.get("andreasjansson/stable-diffusion-animation").latest_version
    assert version is not None
    name = f"andreasjansson/stable-diffusion-animation:{version.id}"
    urls = list(replicate.run(name, input={**given, "intermediate_output": True, **FAST}))
    assert [opened(fetched(url)).format for url in urls] == ["PNG", "PNG", "GIF"]


def test_a_failure_raises_and_is_free(stage: Stage, replicate: Client) -> None:
    since = now_ms()
    with pytest.raises(ModelError, match="NSFW") as raised:
        replicate.run(SCHNELL, input={"prompt": "x [[nsfw]]", **FAST})
    assert raised.value.prediction.status == "failed"
    assert stage.charged(since) == 0


def test_refusals_raise(replicate: Client, stage: Stage) -> None:
    with pytest.raises(ReplicateError) as raised:
        replicate.run(SCHNELL, input={"prompt": "x", "num_outputs": 9})
    assert (raised.value.status, raised.value.title) == (422, "Input validation failed")
    with client(stage, "sk-nobody") as stranger, pytest.raises(ReplicateError) as raised:
        stranger.accounts.current()
    assert (raised.value.status, raised.value.title) == (401, "Unauthenticated")
    with client(stage, "sk-poor-0123456789") as poor, pytest.raises(ReplicateError) as raised:
        poor.run(SCHNELL, input={"prompt": "x"})
    assert raised.value.status == 402


@pytest.mark.endpoint("I14")
def test_create_wait_get_and_list(stage: Stage, replicate: Client) -> None:
    version = replicate.models.get("stability-ai/sdxl").latest_version
    assert version is not None
    made = replicate.predictions.create(version=version, input={"prompt": "a fox", "width": 64, "height": 64, **FAST})
    assert (made.status, made.output) == ("starting", None)
    made.wait()
    assert made.progress is not None and made.progress.percentage == 1.0
    again = replicate.predictions.get(made.id)
    assert again.status == "succeeded"
    assert again.metrics is not None and again.metrics["predict_time"] > 0
    assert [opened(fetched(url)).size for url in again.output or ()] == [(64, 64)]
    assert made.id in {one.id for one in replicate.predictions.list()}
    with client(stage, "sk-bob-0123456789") as bob:
        assert list(bob.predictions.list()) == []
        with pytest.raises(ReplicateError) as raised:
            bob.predictions.get(made.id)
        assert raised.value.status == 404


@pytest.mark.endpoint("I14")
def test_cancel(stage: Stage, replicate: Client) -> None:
    since = now_ms()
    made = replicate.models.predictions.create(SCHNELL, {"prompt": "x [[fault:stuck]]"})
    made.cancel()
    made.wait()
    assert made.status == "canceled"
    assert stage.charged(since) == 0


@pytest.mark.endpoint("I14")
def test_streams(replicate: Client) -> None:
    events = list(replicate.stream(SCHNELL, input={"prompt": "a fox", "num_outputs": 2, **FAST}))
    names = [event.event.value for event in events]
    assert names[-1] == "done"
    assert names.count("output") == 2
    assert "logs" in names
    assert all(event.id for event in events)
    assert [opened(fetched(event.data)).size for event in events if event.event.value == "output"] == [(512, 512)] * 2


@pytest.mark.endpoint("I14")
def test_files_are_uploaded_for_inputs(stage: Stage, replicate: Client, tmp_path: Path) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(photo())
    for given in (path, io.BytesIO(path.read_bytes())):
        shown = replicate.run(REMBG, input={"image": given, **FAST})
        assert opened(fetched(shown)).mode == "RGBA"
    file = replicate.files.create(path)
    assert file.content_type == "image/png"
    assert file.urls["get"] == f"{stage.url}/replicate/v1/files/{file.id}"
    assert replicate.files.get(file.id) == file
    assert file in replicate.files.list()
    with client(stage, "sk-bob-0123456789") as bob:
        assert bob.files.list() == []
        with pytest.raises(ReplicateError) as raised:
            bob.files.get(file.id)
        assert raised.value.status == 404
        with pytest.raises(ReplicateError) as raised:
            bob.run(REMBG, input={"image": file.urls["get"]})
        assert raised.value.status == 422
    assert replicate.files.delete(file.id)
    assert file not in replicate.files.list()


@pytest.mark.endpoint("I14")
def test_webhooks_hold(stage: Stage, replicate: Client) -> None:
    address = f"{stage.sandbox.url}/sandbox/hooks/replicate-gateway"
    made = replicate.models.predictions.create(
        SCHNELL, {"prompt": "é", **FAST}, webhook=address, webhook_events_filter=["completed"]
    )
    found: list[dict[str, dict[str, str]]] = []

    def look() -> bool:
        found[:] = httpx.get(address).json()["data"]
        return bool(found)

    wait_until(look, what="a callback", seconds=20)
    assert len(found) == 1
    secret = replicate.webhooks.default.secret()
    Webhooks.validate(headers=dict(found[0]["headers"]), body=str(found[0]["text"]), secret=secret, tolerance=60)
    assert f'"id":"{made.id}"' in str(found[0]["text"])
    with pytest.raises(ValueError, match="signature"):
        Webhooks.validate(headers=dict(found[0]["headers"]), body=str(found[0]["text"]) + " ", secret=secret)


@pytest.mark.endpoint("I14")
def test_models_and_account(replicate: Client) -> None:
    assert replicate.accounts.current().username == "alice"
    model = replicate.models.get("cjwbw/rembg")
    assert [version.id for version in model.versions.list()] == [REMBG.partition(":")[2]]
    schema = model.versions.get(REMBG.partition(":")[2]).openapi_schema
    assert schema["components"]["schemas"]["Input"]["required"] == ["image"]


async def test_the_asynchronous_half(replicate: Client) -> None:
    urls: Any = await replicate.async_run(SCHNELL, input={"prompt": "a fox", **FAST})
    assert opened(fetched(urls[0])).size == (512, 512)
    await replicate._async_client.aclose()
