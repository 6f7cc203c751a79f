"""What newer Midjourney servers take beside the submissions of old: edits, retextures, and films of a picture."""

import io
from collections.abc import Iterator
from typing import Any

import av
import httpx
import pytest

from support.midjourney import CHANNEL, Client, drawn, picture
from support.stage import Stage, mark, set_stage
from support.world import start

#: Films are dearer with each more of them, and in 720 lines.
PRICES = """
prices:
  - {operation: midjourney.video, per_call: 0.8}
  - {operation: midjourney.video, when: {films: "1"}, per_call: {relax: 0.1, default: 0.2}}
  - {operation: midjourney.video, when: {films: "1", resolution: 720p}, per_call: 0.3}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("edits")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "30"], home / "sandbox.log")
    built = set_stage(home, vendors, CHANNEL.replace("CREDENTIAL", "edits") + PRICES)
    yield built
    built.stop()
    vendors.stop()


def cost(stage: Stage, task_id: str) -> str:
    """What a task cost, in USD."""
    reply = httpx.get(f"{stage.url}/v1/tasks/{task_id}", headers={"authorization": f"Bearer {stage.key}"}, verify=False)
    return str(reply.json()["cost_usd"])


@pytest.mark.endpoint("M16")
@pytest.mark.parametrize("path", ["/submit/edits", "/submit/edit"])
def test_an_edit(stage: Stage, path: str) -> None:
    prompt = mark()
    task = Client(stage).done(path, prompt=prompt, image=drawn((200, 30, 30), (300, 200)), maskBase64=drawn((0, 0, 0)))
    assert (task["action"], task["prompt"], task["mode"]) == ("EDIT", prompt, "FAST")
    size = picture(task["imageUrl"]).size
    assert size[0] > size[1] and task["buttons"]
    assert cost(stage, task["id"]) == "0.1"
    (sent,) = [each for each in stage.received(prompt) if "/submit/" in each["path"]]
    assert sent["path"].endswith("/mj-fast/mj/submit/edits") and sent["body"]["maskBase64"]


@pytest.mark.endpoint("M16")
@pytest.mark.parametrize(("before", "usd"), [("/mj-relax", "0.05"), ("/mj-turbo", "0.2")])
def test_a_retexture(stage: Stage, before: str, usd: str) -> None:
    task = Client(stage, before=before).done("/submit/retexture", prompt="of glass", image=drawn((20, 40, 200)))
    assert task["action"] == "RETEXTURE" and cost(stage, task["id"]) == usd
    assert picture(task["imageUrl"]).width > 0


def seconds(address: str) -> float:
    """How long a film is."""
    reply = httpx.get(address, verify=False)
    assert reply.status_code == 200 and reply.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(reply.content), "r") as opened:
        frames = sum(1 for _ in opened.decode(video=0))
        rate = opened.streams.video[0].average_rate
        assert frames and rate
        return frames / float(rate)


@pytest.mark.endpoint("M16")
@pytest.mark.parametrize("name", ["image", "base64"])
def test_films_and_what_goes_on_from_them(stage: Stage, name: str) -> None:
    """`base64` is how the public web client names the picture."""
    client = Client(stage)
    film: dict[str, Any] = client.done(
        "/submit/video", prompt="waves", batchSize=1, **{name: drawn((20, 40, 200), (320, 180))}
    )
    assert (film["action"], film["prompt"], len(film["videoUrls"])) == ("VIDEO", "waves", 1)
    assert cost(stage, film["id"]) == "0.2"
    longer = client.done("/submit/video", action="extend", taskId=film["id"], index=0, batchSize=1)
    assert (longer["action"], longer["parentId"], len(longer["videoUrls"])) == ("VIDEO", film["id"], 1)
    assert seconds(longer["videoUrls"][0]["url"]) > seconds(film["videoUrls"][0]["url"]) + 2
    told = client.submit("/submit/video", action="extend", taskId=film["id"], index=3)
    assert (told["code"], told["description"]) == (4, "视频index参数错误")
    bob = Client(stage, key="sk-bob-0123456789").submit("/submit/video", action="extend", taskId=film["id"], index=0)
    assert (bob["code"], bob["description"]) == (3, "关联任务不存在或已失效")


def test_a_film_is_paid_by_speed_number_and_lines(stage: Stage) -> None:
    dear = Client(stage).done(
        "/submit/video", prompt="w", image=drawn((1, 2, 3)), batchSize=1, videoType="vid_1.1_i2v_720"
    )
    cheap = Client(stage, before="/mj-relax").done("/submit/video", prompt="w", image=drawn((1, 2, 3)), batchSize=1)
    assert [cost(stage, each["id"]) for each in (dear, cheap)] == ["0.3", "0.1"]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/submit/edits", {"image": drawn((1, 2, 3))}, "prompt不能为空"),
    ("/submit/edits", {"prompt": "cat"}, "image不能为空"),
    ("/submit/retexture", {"prompt": "cat", "image": "aGVsbG8gd29ybGQ="}, "base64格式错误"),
    ("/submit/video", {"prompt": "cat"}, "image不能为空"),
    ("/submit/video", {"prompt": "cat", "image": drawn((1, 2, 3)), "motion": "wild"}, "motion参数错误"),
    ("/submit/video", {"prompt": "cat", "image": drawn((1, 2, 3)), "batchSize": 3}, "batchSize参数错误"),
    ("/submit/video", {"action": "extend", "taskId": "1"}, "视频index参数错误"),
]


@pytest.mark.parametrize(("path", "body", "text"), BAD, ids=[f"{at}-{path}" for at, (path, _, _) in enumerate(BAD)])
def test_bad_input_goes_nowhere_and_costs_nothing(stage: Stage, path: str, body: Any, text: str) -> None:
    before, word = stage.settled(), mark()
    told = Client(stage).submit(path, **body, state=word)
    assert (told["code"], told["description"]) == (4, text)
    english = Client(stage, headers={"accept-language": "en"}).submit(path, **body, state=word)
    assert english["code"] == 4 and english["description"].isascii()
    assert stage.received(word) == [] and stage.settled() == before


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
