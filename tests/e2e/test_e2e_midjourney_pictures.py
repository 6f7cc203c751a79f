"""Midjourney by plain HTTP, as the public web clients call it: every kind of submission, its pictures opened and measured."""

import io
from collections.abc import Iterator

import av
import httpx
import pytest

from support.midjourney import CHANNEL, Client, apart, drawn, picture, quarter
from support.stage import Stage, set_stage
from support.world import start

RED, BLUE = (200, 30, 30), (20, 40, 200)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("midjourney")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "30"], home / "sandbox.log")
    built = set_stage(home, vendors, CHANNEL.replace("CREDENTIAL", "pictures"))
    yield built
    built.stop()
    vendors.stop()


@pytest.fixture(scope="module")
def client(stage: Stage) -> Client:
    return Client(stage)


@pytest.mark.endpoint("M1", "M5", "M11")
def test_imagine_and_each_upscale_is_its_quarter(client: Client) -> None:
    grid = client.done("/submit/imagine", prompt="a red lighthouse --v 6.1", state="order-77", notifyHook="")
    assert (grid["action"], grid["state"], grid["progress"], grid["failReason"]) == ("IMAGINE", "order-77", "100%", "")
    assert grid["submitTime"] <= grid["startTime"] <= grid["finishTime"]
    assert [one["label"] or one["emoji"] for one in grid["buttons"]] == [
        "U1", "U2", "U3", "U4", "🔄", "V1", "V2", "V3", "V4",
    ]  # fmt: skip
    whole = picture(grid["imageUrl"])
    assert whole.size == (1024, 1024)
    for index in (2, 3):
        one = client.until(client.press(grid, f"U{index}"))
        assert (one["status"], one["action"], one["parentId"]) == ("SUCCESS", "UPSCALE", grid["id"])
        single = picture(one["imageUrl"])
        far = [apart(single, quarter(whole, each)) for each in (1, 2, 3, 4)]
        assert far.index(min(far)) == index - 1 and min(far) < 5, far


def test_everything_below_an_upscale(client: Client) -> None:
    """Buttons of the single picture, and buttons of what they make."""
    grid = client.done("/submit/imagine", prompt="a boat --v 7")
    one = client.until(client.press(grid, "U1"))
    for label, action in (
        ("Upscale (Subtle)", "UPSCALE_HD"),
        ("Vary (Strong)", "VARIATION"),
        ("Zoom Out 2x", "ZOOM"),
        ("⬅️", "PAN"),
    ):
        made = client.until(client.press(one, label))
        assert (made["status"], made["action"]) == ("SUCCESS", action)
        assert picture(made["imageUrl"]).width >= 512
    again = client.until(client.press(grid, "🔄"))
    assert (again["action"], again["prompt"]) == ("REROLL", "a boat --v 7")
    varied = client.until(client.press(grid, "V4"))
    assert varied["action"] == "VARIATION" and varied["imageUrl"] != grid["imageUrl"]


def test_films(client: Client) -> None:
    one = client.until(client.press(client.done("/submit/imagine", prompt="a wave --v 7"), "U1"))
    film = client.until(client.press(one, "Animate (High motion)"))
    assert (film["status"], film["action"]) == ("SUCCESS", "VIDEO")
    assert len(film["videoUrls"]) == 4
    reply = httpx.get(film["videoUrls"][0]["url"], verify=False)
    assert reply.status_code == 200 and reply.content[4:8] == b"ftyp"
    with av.open(io.BytesIO(reply.content), "r") as opened:
        assert len(list(opened.decode(video=0))) > 10


@pytest.mark.endpoint("M6")
def test_a_window_of_its_own_zoom(client: Client) -> None:
    one = client.until(client.press(client.done("/submit/imagine", prompt="a tower"), "U2"))
    told = client.submit(
        "/submit/action",
        taskId=one["id"],
        customId=next(b["customId"] for b in one["buttons"] if "CustomZoom" in b["customId"]),
    )
    assert (told["code"], told["description"]) == (21, "Waiting for window confirm")
    assert told["properties"]["finalPrompt"].startswith("a tower")
    assert client.fetch(told["result"])["status"] == "MODAL"
    same = client.taken("/submit/modal", taskId=told["result"], prompt="a tower --zoom 1.8")
    assert same == told["result"]
    made = client.until(same)
    assert (made["status"], made["action"]) == ("SUCCESS", "ZOOM")
    late = client.submit("/submit/modal", taskId=same, prompt="again")
    assert (late["code"], late["description"]) == (4, "关联任务状态错误")


@pytest.mark.endpoint("M6")
def test_a_region_that_is_painted_anew(client: Client) -> None:
    one = client.until(client.press(client.done("/submit/imagine", prompt="a house"), "U3"))
    before = picture(one["imageUrl"])
    waits = client.press(one, "Vary (Region)", code=21)
    assert client.submit("/submit/modal", taskId=waits, prompt="a door")["description"] == "maskBase64不能为空"
    assert client.fetch(waits)["status"] == "MODAL"
    mask = drawn((0, 0, 0), before.size)
    made = client.until(client.taken("/submit/modal", taskId=waits, prompt="a door", maskBase64=mask))
    assert (made["status"], made["action"]) == ("SUCCESS", "VARIATION")


@pytest.mark.endpoint("M7", "M8")
def test_changes_by_number_and_by_word(client: Client) -> None:
    grid = client.done("/submit/imagine", prompt="a tree")
    whole = picture(grid["imageUrl"])
    by_number = client.done("/submit/change", taskId=grid["id"], action="UPSCALE", index=4)
    assert apart(picture(by_number["imageUrl"]), quarter(whole, 4)) < 5
    by_word = client.done("/submit/simple-change", content=f"{grid['id']} v1")
    assert by_word["action"] == "VARIATION"
    told = client.submit("/submit/change", taskId=by_number["id"], action="UPSCALE", index=1)
    assert (told["code"], told["description"]) == (4, "关联任务不允许执行变化")


@pytest.mark.endpoint("M2", "M3", "M4")
def test_blend_describe_shorten(client: Client) -> None:
    mixed = client.done("/submit/blend", base64Array=[drawn(RED), drawn(BLUE)], dimensions="LANDSCAPE")
    assert mixed["action"] == "BLEND"
    size = picture(mixed["imageUrl"]).size
    assert size[0] > size[1]
    told = client.done("/submit/describe", base64=drawn(RED))
    assert told["action"] == "DESCRIBE"
    for number in ("1️⃣", "2️⃣", "3️⃣", "4️⃣"):
        assert number in told["properties"]["finalPrompt"]
    assert "MJ::Job::PicReader::all" in [one["customId"] for one in told["buttons"]]
    drawing = client.press(told, "1️⃣", code=21)
    made = client.until(client.taken("/submit/modal", taskId=drawing))
    assert (made["status"], made["action"]) == ("SUCCESS", "IMAGINE")
    short = client.done("/submit/shorten", prompt="a very tall and rather lonely lighthouse upon a cliff")
    assert (
        short["action"] == "SHORTEN" and short["imageUrl"] == "" and "lighthouse" in short["properties"]["finalPrompt"]
    )


@pytest.mark.endpoint("M9", "M10", "M15")
def test_faces_uploads_and_old_pictures(client: Client) -> None:
    swapped = client.done("/insight-face/swap", sourceBase64=drawn(RED), targetBase64=drawn(BLUE, (300, 200)))
    assert (swapped["action"], swapped["botType"]) == ("SWAP_FACE", "INSIGHT_FACE")
    assert picture(swapped["imageUrl"]).size[0] > 0
    told = client.submit("/submit/upload-discord-images", base64Array=[drawn(BLUE)])
    assert told["code"] == 1 and len(told["result"]) == 1
    assert apart(picture(told["result"][0]), picture(told["result"][0])) == 0
    used = client.done("/submit/imagine", prompt=f"{told['result'][0]} the same at night", base64Array=[drawn(RED)])
    assert used["status"] == "SUCCESS"
    back = client.done("/submit/show", jobId=used["properties"]["messageHash"])
    assert back["action"] == "SHOW" and back["buttons"]
    assert client.until(client.press(back, "U1"))["status"] == "SUCCESS"


@pytest.mark.endpoint("M13")
def test_seeds(client: Client) -> None:
    done = client.done("/submit/imagine", prompt="a stone")
    told = client.call("GET", f"/task/{done['id']}/image-seed").json()
    assert told["code"] == 1 and int(told["result"]) > 0
    private = Client(client.stage, before="/mj-relax").done("/submit/imagine", prompt="a stone")
    refused = client.call("GET", f"/task/{private['id']}/image-seed").json()
    assert refused["code"] in (4, 9) and refused["description"]


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
