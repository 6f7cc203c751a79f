"""The official SDK against the sandbox's Replicate."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import Webhooks
from replicate_calls import SCHNELL, SDXL, VERSIONS, data_url, difference, opened, photo
from sandbox_client import Sandbox, eventually

#: Of its own: the client does not know the state `aborted`, which other tests bring about.
KEY = "r8_client_0000000000000000000000000000001"
REMBG = f"cjwbw/rembg:{VERSIONS['cjwbw/rembg']}"
FAST = {"sandbox": "[[speed:200]]", "megapixels": "0.25"}


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    made = Client(api_token=KEY, base_url=f"{sandbox.url}/replicate")
    made.poll_interval = 0.02
    yield made
    made._client.close()


def fetched(sandbox: Sandbox, url: Any) -> bytes:
    return sandbox.http.get(str(url)).content


def test_run_waits_and_gives_the_output(sandbox: Sandbox, client: Client) -> None:
    (url,) = client.run(SCHNELL, input={"prompt": "a fox", "output_format": "png", **FAST})
    assert opened(fetched(sandbox, url)).size == (512, 512)
    shown = client.run(REMBG, input={"image": data_url(photo()), **FAST})
    assert opened(fetched(sandbox, shown)).mode == "RGBA"
    (url,) = client.run(SDXL, input={"prompt": "a fox", "width": 64, "height": 64, **FAST})
    assert opened(fetched(sandbox, url)).size == (64, 64)


def test_run_without_waiting_polls(sandbox: Sandbox, client: Client) -> None:
    (url,) = client.run(SCHNELL, input={"prompt": "a fox", **FAST}, wait=False)
    assert fetched(sandbox, url)


def test_run_goes_on_polling_where_the_wait_is_over(sandbox: Sandbox, client: Client) -> None:
    (url,) = client.run(SCHNELL, input={"prompt": "a fox [[speed:1]]", "megapixels": "0.25"}, wait=1)
    assert fetched(sandbox, url)


def test_a_model_that_yields_gives_an_iterator(sandbox: Sandbox, client: Client) -> None:
    name = "andreasjansson/stable-diffusion-animation"
    given = {"prompt_start": "a", "prompt_end": "b", "width": 128, "height": 128, "num_animation_frames": 2}
    urls = list(client.run(f"{name}:{VERSIONS[name]}", input={**given, "intermediate_output": True, **FAST}))
    assert [str(url).rpartition(".")[2] for url in urls] == ["png", "png", "gif"]


def test_a_failure_raises(client: Client) -> None:
    with pytest.raises(ModelError, match="NSFW") as raised:
        client.run(SCHNELL, input={"prompt": "x [[nsfw]]", **FAST})
    assert raised.value.prediction.status == "failed"


def test_a_refusal_raises(sandbox: Sandbox, client: Client) -> None:
    with pytest.raises(ReplicateError) as raised:
        client.run(SCHNELL, input={"prompt": "x", "num_outputs": 9})
    assert raised.value.status == 422
    assert raised.value.title == "Input validation failed"
    wrong = Client(api_token="r8_invalid", base_url=f"{sandbox.url}/replicate")
    with pytest.raises(ReplicateError) as raised:
        wrong.accounts.current()
    assert raised.value.status == 401
    wrong._client.close()


def test_predictions(client: Client) -> None:
    version = client.models.get("stability-ai/sdxl").latest_version
    assert version is not None
    made = client.predictions.create(version=version, input={"prompt": "a fox", "width": 64, "height": 64, **FAST})
    made.wait()
    assert made.status == "succeeded"
    assert made.progress is not None
    assert made.progress.percentage == 1.0
    assert client.predictions.get(made.id) == made
    assert made in list(client.predictions.list())
    by_name = client.models.predictions.create(SCHNELL, {"prompt": "a fox", **FAST})
    assert by_name.status == "starting"
    deployed = client.deployments.get("sandbox/demo").predictions.create({"prompt": "a fox", **FAST})
    deployed.wait()
    assert deployed.model == SCHNELL


def test_cancelling(client: Client) -> None:
    made = client.models.predictions.create(SCHNELL, {"prompt": "x [[fault:stuck]]"})
    made.cancel()
    assert made.status == "canceled"


def test_streams(client: Client) -> None:
    events = list(client.stream(SCHNELL, input={"prompt": "a fox", "num_outputs": 2, **FAST}))
    names = [event.event.value for event in events]
    assert names[-3:] == ["output", "output", "done"]
    assert set(names[:-3]) == {"logs"}
    assert all(event.id for event in events)


def test_files_are_uploaded_for_inputs(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "fox.png"
    photo().save(path)
    for given in (path, io.BytesIO(path.read_bytes())):
        shown = client.run(REMBG, input={"image": given, **FAST})
        cut = opened(fetched(sandbox, shown)).crop((25, 25, 275, 175))
        assert difference(cut, photo().crop((25, 25, 275, 175))) == 0
    file = client.files.create(path)
    assert (file.name, file.content_type) == ("fox.png", "image/png")
    assert client.files.get(file.id) == file
    assert file in client.files.list()
    assert client.files.delete(file.id)
    assert file not in client.files.list()


def test_webhooks_hold(sandbox: Sandbox, client: Client) -> None:
    address = f"{sandbox.url}/sandbox/hooks/replicate-sdk"
    client.models.predictions.create(
        SCHNELL, {"prompt": "é", **FAST}, webhook=address, webhook_events_filter=["completed"]
    )
    (received,) = eventually(lambda: sandbox.http.get(address).json()["data"])
    secret = client.webhooks.default.secret()
    Webhooks.validate(headers=dict(received["headers"]), body=received["text"], secret=secret, tolerance=60)


def test_models_and_account(client: Client) -> None:
    assert client.accounts.current().type == "user"
    model = client.models.get("cjwbw/rembg")
    assert [version.id for version in model.versions.list()] == [VERSIONS["cjwbw/rembg"]]
    assert model.versions.get(VERSIONS["cjwbw/rembg"]).openapi_schema["components"]["schemas"]["Input"]
    assert len(list(client.models.list())) == 20


async def test_the_asynchronous_half(sandbox: Sandbox, client: Client) -> None:
    urls: Any = await client.async_run(SCHNELL, input={"prompt": "a fox", **FAST})
    assert fetched(sandbox, urls[0])
    await client._async_client.aclose()
