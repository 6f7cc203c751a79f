"""The imitation Midjourney server: what is submitted, how tasks come along, and the pictures that they make."""

from typing import Any

import pytest
from midjourney_client import Midjourney, data_url, differing, opened, part, plain
from PIL import Image
from sandbox_client import Sandbox

ORDER = ["NOT_START", "SUBMITTED", "IN_PROGRESS", "SUCCESS"]
UNMASK = {"mj-api-secret": "any"}


@pytest.fixture
def mj(sandbox: Sandbox) -> Midjourney:
    return Midjourney(sandbox)


def test_a_grid(mj: Midjourney) -> None:
    answer = mj.post("/submit/imagine", prompt="a red fox --v 6.1", state="order-77")
    assert (answer["code"], answer["description"]) == (1, "提交成功")
    assert answer["result"].isdecimal()
    assert len(answer["result"]) == 16
    task = mj.ended(answer)
    assert task["id"] == answer["result"]
    assert (task["action"], task["status"], task["progress"]) == ("IMAGINE", "SUCCESS", "100%")
    assert (task["prompt"], task["state"], task["failReason"]) == ("a red fox --v 6.1", "order-77", None)
    assert 0 < task["submitTime"] <= task["startTime"] <= task["finishTime"]
    assert task["properties"]["finalPrompt"] == "a red fox --v 6.1"
    name = task["properties"]["messageHash"]
    labels = [one["label"] or one["emoji"] for one in task["buttons"]]
    assert labels == ["U1", "U2", "U3", "U4", "🔄", "V1", "V2", "V3", "V4"]
    assert task["buttons"][1] == {
        "customId": f"MJ::JOB::upsample::2::{name}",
        "emoji": "",
        "label": "U2",
        "style": 2,
        "type": 2,
    }
    picture = mj.picture(task)
    assert (picture.format, picture.size) == ("PNG", (1024, 1024))
    cells = [part(picture, x, y, x + 0.5, y + 0.5) for y in (0, 0.5) for x in (0, 0.5)]
    assert min(differing(cells[0], other) for other in cells[1:]) > 5, "four different pictures"


@pytest.mark.parametrize(("ratio", "size"), [("16:9", (1360, 768)), ("2:3", (832, 1248)), ("1:1", (1024, 1024))])
def test_the_shape_that_is_asked_for(mj: Midjourney, ratio: str, size: tuple[int, int]) -> None:
    task = mj.imagine(f"a fox --ar {ratio} --v 7")
    assert mj.picture(task).size == size
    assert (task["imageWidth"], task["imageHeight"]) == size


def test_how_a_task_comes_along(mj: Midjourney) -> None:
    answer = mj.post("/submit/imagine", prompt="a fox [[speed:4]]")
    statuses: list[str] = []

    def look(task: dict[str, Any]) -> bool:
        statuses.append(task["status"])
        return statuses[-1] == "SUCCESS"

    mj.until(answer["result"], look)
    assert [ORDER.index(one) for one in statuses] == sorted(ORDER.index(one) for one in statuses)


def test_a_picture_comes_out_of_the_mist(mj: Midjourney) -> None:
    done = mj.picture(mj.imagine("a fox --seed 3"))
    mists = []
    for percent in (0, 25, 50, 75):
        answer = mj.post("/submit/imagine", prompt=f"a fox --seed 3 [[fault:stuck:{percent}]]")
        task = mj.running(answer["result"], f"{percent}%")
        assert task["buttons"] == []
        assert bool(task["imageUrl"]) is (percent > 0)
        if percent:
            mists.append(differing(mj.picture(task), done))
    assert mists == sorted(mists, reverse=True)
    assert mists[-1] > 0


def test_seeds_and_prompts_count(mj: Midjourney) -> None:
    one, two, three = (mj.picture(mj.imagine(f"{what} --seed 7")) for what in ("a fox", "a fox", "an owl"))
    assert differing(one, two) == 0
    assert differing(one, three) > 5


def test_reference_pictures(mj: Midjourney) -> None:
    red = mj.imagine("a fox --seed 3", base64Array=[data_url(plain("red"))])
    blue = mj.imagine("a fox --seed 3", base64=data_url(plain("blue")))
    assert red["properties"]["finalPrompt"].startswith("<http")
    address = red["properties"]["finalPrompt"].partition(">")[0][1:]
    assert opened(mj.sandbox.http.get(address).content).size == (200, 200)
    red_mean, blue_mean = (mj.picture(task).resize((1, 1)).getpixel((0, 0)) for task in (red, blue))
    assert isinstance(red_mean, tuple)
    assert isinstance(blue_mean, tuple)
    assert red_mean[0] > blue_mean[0] + 50
    assert blue_mean[2] > red_mean[2] + 50
    by_address = mj.imagine("a fox --seed 3", base64Array=[address])
    assert differing(mj.picture(by_address), mj.picture(red)) == 0


def test_files_in_part(mj: Midjourney) -> None:
    address = mj.imagine("a fox")["imageUrl"]
    whole = mj.sandbox.http.get(address)
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["accept-ranges"] == "bytes"
    answer = mj.sandbox.http.get(address, headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, whole.content[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert mj.sandbox.http.get(address, headers={"range": "bytes=99999999-"}).status_code == 416
    assert mj.sandbox.http.get(address.replace(".png", ".jpg")).status_code == 404
    assert mj.sandbox.http.head(address).status_code == 200


@pytest.mark.parametrize(
    ("dimensions", "size"),
    [("SQUARE", (1024, 1024)), ("PORTRAIT", (832, 1248)), ("LANDSCAPE", (1248, 832)), (None, (1024, 1024))],
)
def test_blend(mj: Midjourney, dimensions: str | None, size: tuple[int, int]) -> None:
    given = [data_url(plain(colour)) for colour in ("red", "blue")]
    task = mj.ended(mj.post("/submit/blend", base64Array=given, dimensions=dimensions))
    assert (task["action"], task["status"]) == ("BLEND", "SUCCESS")
    picture = mj.picture(task)
    assert picture.size == size
    assert differing(picture, plain("#7f007f")) < 40, "as much of one as of the other"
    assert len(task["buttons"]) == 9


def test_describe(mj: Midjourney) -> None:
    task = mj.ended(mj.post("/submit/describe", base64=data_url(plain("#c82828", 300, 200))))
    assert task["action"] == "DESCRIBE"
    said = task["properties"]["finalPrompt"].split("\n\n")
    assert [line[0] for line in said] == ["1", "2", "3", "4"]
    assert all("red" in line and "--ar 300:200" in line for line in said)
    assert task["prompt"] == task["properties"]["finalPrompt"]
    assert mj.picture(task).size == (task["imageWidth"], task["imageHeight"]) == (300, 200)
    assert [one["customId"] for one in task["buttons"]] == [
        *(f"MJ::Job::PicReader::{n}" for n in range(1, 5)),
        "MJ::Picread::Retry",
        "MJ::Job::PicReader::all",
    ]
    chinese = mj.ended(mj.post("/submit/describe", link=task["imageUrl"], language="zh_cn"))
    assert "红色" in chinese["prompt"]
    again = mj.pressed(task, "🔄")
    assert again["action"] == "DESCRIBE"
    assert again["prompt"] != task["prompt"]


def test_large_pictures_are_given_back_as_they_came(mj: Midjourney) -> None:
    large = Image.effect_noise((1500, 900), 80).convert("RGB")
    task = mj.ended(mj.post("/submit/describe", base64=data_url(large)))
    assert differing(mj.picture(task), large) == 0
    again = mj.pressed(task, "🔄")
    assert mj.picture(again).size == (640, 384)


def test_shorten(mj: Midjourney) -> None:
    task = mj.ended(mj.post("/submit/shorten", prompt="a very beautiful fox in the deep snow, at night"))
    said = task["properties"]["finalPrompt"]
    assert "Important tokens" in said
    assert "**beautiful**" in said
    assert "~~the~~" in said
    assert "Shortened prompts" in said
    assert (task["action"], task["imageUrl"]) == ("SHORTEN", "")
    assert [one["customId"] for one in task["buttons"]] == [f"MJ::Job::PromptAnalyzer::{n}" for n in range(1, 6)]


def test_upload(mj: Midjourney) -> None:
    answer = mj.post("/submit/upload-discord-images", base64Array=[data_url(plain("red")), data_url(plain("blue"))])
    assert answer["code"] == 1
    red, blue = (opened(mj.sandbox.http.get(address).content) for address in answer["result"])
    assert differing(red, plain("red")) == 0
    assert differing(blue, plain("blue")) == 0


def test_show(mj: Midjourney) -> None:
    task = mj.imagine("a fox")
    again = mj.ended(mj.post("/submit/show", jobId=f"https://cdn/{task['jobId']}/grid.png"))
    assert (again["action"], again["buttons"]) == ("SHOW", task["buttons"])
    assert differing(mj.picture(again), mj.picture(task)) == 0
    assert mj.pressed(again, "U1")["action"] == "UPSCALE"
    unknown = mj.ended(mj.post("/submit/show", jobId="00000000-0000-4000-8000-000000000000"))
    assert unknown["status"] == "FAILURE"
    assert "Could not find" in unknown["failReason"]


def test_edits_where_the_mask_says(mj: Midjourney) -> None:
    image, mask = plain("green", 400, 400), plain("black", 400, 400)
    mask.paste("white", (0, 0, 200, 400))
    body = {"prompt": "a fox", "image": data_url(image)}
    picture = mj.picture(mj.ended(mj.post("/submit/edits", **body, maskBase64=data_url(mask))))
    first = part(picture, 0, 0, 0.5, 0.5)
    assert differing(part(first, 0.5, 0, 1, 1), plain("green")) == 0, "what is not masked stays"
    assert differing(part(first, 0, 0, 0.5, 1), plain("green")) > 20
    whole = mj.ended(mj.post("/submit/edit", **body))
    assert whole["action"] == "EDIT"


def test_retexture(mj: Midjourney) -> None:
    image = plain("black", 400, 200)
    image.paste("white", (200, 0, 400, 200))
    task = mj.ended(mj.post("/submit/retexture", prompt="wool", image=data_url(image)))
    assert task["action"] == "RETEXTURE"
    picture = mj.picture(task)
    assert picture.width / picture.height == pytest.approx(2, rel=0.05), "of the picture's shape"
    first = part(picture, 0, 0, 0.5, 0.5)
    assert differing(part(first, 0, 0, 0.5, 1), part(first, 0.5, 0, 1, 1)) > 50, "its shapes are still seen"


def test_swap(mj: Midjourney) -> None:
    target = plain("blue", 300, 200)
    answer = mj.post("/insight-face/swap", sourceBase64=data_url(plain("yellow")), targetBase64=data_url(target))
    assert answer.keys() == {"code", "description", "result"}
    task = mj.ended(answer)
    assert (task["action"], task["botType"], task["buttons"]) == ("SWAP_FACE", "INSIGHT_FACE", [])
    picture = mj.picture(task)
    assert picture.size == (300, 200)
    assert differing(part(picture, 0.48, 0.45, 0.52, 0.55), plain("yellow")) == 0
    assert differing(part(picture, 0, 0, 0.2, 1), plain("blue")) == 0


def test_both_credentials_and_all_prefixes(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/midjourney/mj/submit/imagine"
    for headers in ({"mj-api-secret": "one"}, {"authorization": "Bearer one"}):
        assert sandbox.http.post(url, json={"prompt": "a fox"}, headers=headers).json()["code"] == 1
    for headers in ({}, {"authorization": "midjourney-proxy"}, {"mj-api-secret": "invalid"}):
        refused = sandbox.http.post(url, json={"prompt": "a fox"}, headers=headers)
        assert refused.status_code == 401
        assert refused.json()["description"]
    mj = Midjourney(sandbox)
    for mode in ("relax", "fast", "turbo"):
        task = mj.ended(mj.post("/submit/imagine", at=f"/mj-{mode}/mj", prompt="a fox"))
        assert task["mode"] == mode.upper()
        assert mj.get(f"/task/{task['id']}/fetch", at="/mj-fast/mj")["id"] == task["id"]
    assert sandbox.http.get(f"{sandbox.url}/midjourney/mj/nothing", headers=UNMASK).status_code == 404
    assert sandbox.http.get(url, headers=UNMASK).status_code == 405
