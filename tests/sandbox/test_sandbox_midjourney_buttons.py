"""Buttons of the imitation Midjourney server: what each makes of the picture, windows, and what stands below it then."""

from typing import Any

import pytest
from midjourney_client import Midjourney, Task, button, data_url, differing, part, plain
from PIL import Image
from sandbox_client import Sandbox


@pytest.fixture
def mj(sandbox: Sandbox) -> Midjourney:
    return Midjourney(sandbox)


@pytest.fixture
def grid(mj: Midjourney) -> Task:
    return mj.imagine("a fox --v 7")


def quarter(image: Image.Image, number: int) -> Image.Image:
    left, top = (number - 1) % 2 * 0.5, (number - 1) // 2 * 0.5
    return part(image, left, top, left + 0.5, top + 0.5)


def test_each_of_the_four(mj: Midjourney, grid: Task) -> None:
    picture = mj.picture(grid)
    for number in range(1, 5):
        task = mj.pressed(grid, f"U{number}")
        assert (task["action"], task["parentId"]) == ("UPSCALE", grid["id"])
        chosen = mj.picture(task)
        assert chosen.size == (1024, 1024)
        near = [differing(quarter(picture, other), chosen) for other in range(1, 5)]
        assert near[number - 1] < 2
        assert min(far for other, far in enumerate(near, 1) if other != number) > 5


def test_the_buttons_below_one_picture(mj: Midjourney, grid: Task) -> None:
    task = mj.pressed(grid, "U1")
    name = task["properties"]["messageHash"]
    assert [(one["customId"].replace(name, "*"), one["label"], one["emoji"]) for one in task["buttons"]] == [
        ("MJ::JOB::upsample_v7_2x_subtle::1::*::SOLO", "Upscale (Subtle)", "upscale_1"),
        ("MJ::JOB::upsample_v7_2x_creative::1::*::SOLO", "Upscale (Creative)", "upscale_1"),
        ("MJ::JOB::low_variation::1::*::SOLO", "Vary (Subtle)", "🪄"),
        ("MJ::JOB::high_variation::1::*::SOLO", "Vary (Strong)", "🪄"),
        ("MJ::Inpaint::1::*::SOLO", "Vary (Region)", "🖌️"),
        ("MJ::Outpaint::50::1::*::SOLO", "Zoom Out 2x", "🔍"),
        ("MJ::Outpaint::75::1::*::SOLO", "Zoom Out 1.5x", "🔍"),
        ("MJ::CustomZoom::*", "Custom Zoom", "🔍"),
        ("MJ::JOB::pan_left::1::*::SOLO", "", "⬅️"),
        ("MJ::JOB::pan_right::1::*::SOLO", "", "➡️"),
        ("MJ::JOB::pan_up::1::*::SOLO", "", "⬆️"),
        ("MJ::JOB::pan_down::1::*::SOLO", "", "⬇️"),
        ("MJ::BOOKMARK::*", "", "❤️"),
        ("MJ::JOB::animate_high::1::*::SOLO", "Animate (High motion)", "🎞️"),
        ("MJ::JOB::animate_low::1::*::SOLO", "Animate (Low motion)", "🎞️"),
    ]


@pytest.mark.parametrize(
    ("version", "first", "animates"),
    [
        ("7", "upsample_v7_2x_subtle", True),
        ("6.1", "upsample_v6r1_2x_subtle", False),
        ("6", "upsample_v6_2x_subtle", False),
        ("5.2", "upsample_v5_2x", False),
    ],
)
def test_versions(mj: Midjourney, version: str, first: str, animates: bool) -> None:
    task = mj.pressed(mj.imagine(f"a fox --v {version} --ar 2:1"), "U1")
    assert task["buttons"][0]["customId"].startswith(f"MJ::JOB::{first}::1::")
    assert any("animate" in one["customId"] for one in task["buttons"]) is animates
    assert any(one["label"] == "Make Square" for one in task["buttons"]), "it is not square"
    square = mj.picture(mj.pressed(task, "Make Square"))
    assert square.width == square.height


def test_upscaled_twice_is_the_same_task(mj: Midjourney, grid: Task) -> None:
    first = mj.pressed(grid, "U3")
    again = mj.press(grid, "U3")
    assert (again["code"], again["description"], again["result"]) == (21, "任务已存在", first["id"])
    assert again["properties"] == {"status": "SUCCESS", "imageUrl": first["imageUrl"]}
    assert mj.press(grid, "U4")["code"] == 1


def test_variations(mj: Midjourney, grid: Task) -> None:
    chosen = quarter(mj.picture(grid), 2)
    task = mj.pressed(grid, "V2")
    assert task["action"] == "VARIATION"
    varied = mj.picture(task)
    assert varied.size == (1024, 1024)
    for number in range(1, 5):
        assert 2 < differing(quarter(varied, number), chosen) < 60, "like it, and another"
    one = mj.pressed(grid, "U2")
    subtle, strong = (mj.picture(mj.pressed(one, label)) for label in ("Vary (Subtle)", "Vary (Strong)"))
    # Each of the four is another one mixed with what it was; how much another differs is chance, but not of all four.
    near, far = (sum(differing(quarter(each, n), chosen) for n in range(1, 5)) for each in (subtle, strong))
    assert near < far


def test_again(mj: Midjourney, grid: Task) -> None:
    task = mj.pressed(grid, "🔄")
    assert (task["action"], task["prompt"]) == ("REROLL", grid["prompt"])
    assert len(task["buttons"]) == 9
    assert differing(mj.picture(task), mj.picture(grid)) > 5


def test_larger(mj: Midjourney, grid: Task) -> None:
    one = mj.pressed(grid, "U1")
    task = mj.pressed(one, "Upscale (Subtle)")
    assert task["action"] == "UPSCALE_HD"
    picture = mj.picture(task)
    assert picture.size == (2048, 2048)
    assert differing(mj.picture(one), picture) < 2
    assert task["buttons"][0]["label"] == "Redo Upscale (Subtle)"


def test_zooms_and_pans_keep_the_picture_as_a_part(mj: Midjourney, grid: Task) -> None:
    one = mj.pressed(grid, "U1")
    picture = mj.picture(one)
    zoomed = mj.pressed(one, "Zoom Out 2x")
    assert zoomed["action"] == "ZOOM"
    assert differing(part(quarter(mj.picture(zoomed), 3), 0.25, 0.25, 0.75, 0.75), picture) < 3
    task = mj.pressed(one, "⬅️")
    assert task["action"] == "PAN"
    panned = quarter(mj.picture(task), 2)
    assert panned.width == panned.height * 3 // 2
    assert differing(part(panned, 1 / 3, 0, 1, 1), picture) < 3
    down = quarter(mj.picture(mj.pressed(one, "⬇️")), 1)
    assert differing(part(down, 0, 0, 1, 2 / 3), picture) < 3
    assert len(task["buttons"]) == 9


def test_a_bookmark_makes_nothing(mj: Midjourney, grid: Task) -> None:
    one = mj.pressed(grid, "U1")
    before = len(mj.get("/task/list"))
    answer = mj.press(one, "❤️")
    assert (answer["code"], answer["result"]) == (1, one["id"])
    assert len(mj.get("/task/list")) == before


# Windows


def test_custom_zoom_asks_first(mj: Midjourney, grid: Task) -> None:
    one = mj.pressed(grid, "U1")
    asked = mj.press(one, "Custom Zoom")
    assert (asked["code"], asked["description"]) == (21, "Waiting for window confirm")
    assert asked["properties"] == {"finalPrompt": "a fox --v 7 --zoom 2", "remix": True}
    waiting = mj.fetch(asked["result"])
    assert (waiting["status"], waiting["action"], waiting["buttons"]) == ("MODAL", "ZOOM", [])
    answer = mj.post("/submit/modal", taskId=asked["result"], prompt="a fox --v 7 --zoom 1.5 --ar 2:1")
    assert (answer["code"], answer["result"]) == (1, asked["result"])
    task = mj.ended(answer)
    assert (task["status"], task["prompt"]) == ("SUCCESS", "a fox --v 7 --zoom 1.5 --ar 2:1")
    assert mj.picture(task).width > 1.9 * mj.picture(task).height
    again = mj.post("/submit/modal", taskId=asked["result"])
    assert (again["code"], again["description"]) == (4, "关联任务状态错误")


def test_inpaint_needs_a_mask_and_keeps_the_rest(mj: Midjourney, grid: Task) -> None:
    one = mj.pressed(grid, "U1")
    asked = mj.press(one, "Vary (Region)")
    assert asked["code"] == 21
    assert mj.post("/submit/modal", taskId=asked["result"], prompt="a house")["code"] == 4
    assert mj.fetch(asked["result"])["status"] == "MODAL", "it can still be confirmed"
    mask = Image.new("RGBA", (1024, 1024), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 512, 1024))
    confirmed = mj.post("/submit/modal", taskId=asked["result"], prompt="a house", maskBase64=data_url(mask))
    task = mj.ended(confirmed)
    picture = mj.picture(one).resize((512, 512), Image.Resampling.LANCZOS)
    for number in range(1, 5):
        made = quarter(mj.picture(task), number)
        assert differing(part(made, 0.51, 0, 1, 1), part(picture, 0.51, 0, 1, 1)) < 1
        assert differing(part(made, 0, 0, 0.49, 1), part(picture, 0, 0, 0.49, 1)) > 5


def test_pressed_prompts(mj: Midjourney) -> None:
    described = mj.ended(mj.post("/submit/describe", base64=data_url(plain("red"))))
    asked = mj.press(described, "2️⃣")
    assert asked["code"] == 21
    assert asked["properties"]["finalPrompt"] in described["prompt"]
    task = mj.ended(mj.post("/submit/modal", taskId=int(asked["result"]), prompt=""))
    assert (task["action"], task["prompt"]) == ("IMAGINE", asked["properties"]["finalPrompt"])
    answer = mj.press(described, "Imagine all")
    ids = answer["result"].split(",")
    assert len(set(ids)) == 4
    tasks = [mj.until(id, lambda found: found["status"] == "SUCCESS") for id in ids]
    assert [one["prompt"] in described["prompt"] for one in tasks] == [True] * 4
    short = mj.ended(mj.post("/submit/shorten", prompt="a very beautiful fox in the deep snow"))
    asked = mj.press(short, "5️⃣")
    assert asked["properties"]["finalPrompt"] == "beautiful"
    assert mj.ended(mj.post("/submit/modal", taskId=asked["result"]))["prompt"] == "beautiful"


def test_remix(mj: Midjourney, grid: Task) -> None:
    assert mj.press(grid, "V1", enableRemix=True)["code"] == 21
    turbo = mj.ended(mj.post("/submit/imagine", at="/mj-turbo/mj", prompt="a fox"))
    asked = mj.press(turbo, "V1")
    assert (asked["code"], asked["properties"]["remix"]) == (21, True)
    task = mj.ended(mj.post("/submit/modal", taskId=asked["result"], prompt="an owl"))
    assert (task["action"], task["prompt"], task["mode"]) == ("VARIATION", "an owl", "TURBO")
    assert mj.press(turbo, "U1")["code"] == 1


def test_a_window_that_nobody_confirms(mj: Midjourney, grid: Task) -> None:
    asked = mj.press(mj.pressed(grid, "U1"), "Custom Zoom")
    assert mj.post("/submit/modal", taskId=asked["result"], prompt="a sandbox-banned fox")["code"] == 24
    one = mj.pressed(grid, "U2")
    soon = mj.post("/submit/action", taskId=one["id"], customId=button(one, "Custom Zoom"), state="[[speed:9999]]")
    task = mj.until(soon["result"], lambda found: found["status"] == "FAILURE")
    assert task["failReason"] == "任务超时"
    late = mj.post("/submit/modal", taskId=soon["result"])
    assert (late["code"], late["description"]) == (4, "关联任务状态错误")


# By number


def test_changes(mj: Midjourney, grid: Task) -> None:
    task = mj.ended(mj.post("/submit/change", taskId=grid["id"], action="UPSCALE", index=2))
    assert (task["action"], task["parentId"]) == ("UPSCALE", grid["id"])
    again = mj.post("/submit/simple-change", content=f"{grid['id']} u2")
    assert (again["code"], again["result"]) == (21, task["id"])
    varied = mj.ended(mj.post("/submit/simple-change", content=f"{grid['id']} V4"))
    assert varied["action"] == "VARIATION"
    assert mj.ended(mj.post("/submit/change", taskId=grid["id"], action="REROLL"))["action"] == "REROLL"
    assert mj.ended(mj.post("/submit/simple-change", content=f"{grid['id']} R"))["action"] == "REROLL"
    refused = mj.post("/submit/change", taskId=task["id"], action="UPSCALE", index=1)
    assert (refused["code"], refused["description"]) == (4, "关联任务不允许执行变化")


@pytest.mark.parametrize(
    ("path", "body", "code", "said"),
    [
        ("change", {"action": "UPSCALE", "index": 1}, 4, "taskId不能为空"),
        ("change", {"taskId": "1", "action": "PAN", "index": 1}, 4, "action参数错误"),
        ("change", {"taskId": "1", "action": "UPSCALE", "index": 5}, 4, "index参数错误"),
        ("change", {"taskId": "1", "action": "VARIATION"}, 4, "index参数错误"),
        ("change", {"taskId": "1", "action": "REROLL"}, 3, "关联任务不存在或已失效"),
        ("simple-change", {"content": "1  U1"}, 4, "content参数错误"),
        ("simple-change", {"content": "1 U5"}, 4, "content参数错误"),
        ("simple-change", {}, 4, "content参数错误"),
        ("simple-change", {"content": "1 U1"}, 3, "关联任务不存在或已失效"),
        ("action", {"taskId": "1"}, 4, "参数错误"),
        ("action", {"customId": "MJ::BOOKMARK::x"}, 4, "参数错误"),
        ("action", {"taskId": "1", "customId": "MJ::BOOKMARK::x"}, 3, "关联任务不存在或已失效"),
        ("modal", {}, 4, "taskId不能为空"),
        ("modal", {"taskId": "1"}, 3, "关联任务不存在或已失效"),
    ],
)
def test_refusals(mj: Midjourney, path: str, body: dict[str, Any], code: int, said: str) -> None:
    answer = mj.post(f"/submit/{path}", **body)
    assert (answer["code"], answer["description"]) == (code, said)


def test_only_the_tasks_own_buttons_and_only_its_owner(mj: Midjourney, grid: Task, sandbox: Sandbox) -> None:
    unknown = mj.post("/submit/action", taskId=grid["id"], customId="MJ::JOB::upsample::1::other")
    assert (unknown["code"], unknown["description"]) == (4, "未知的 Action 类型")
    other = Midjourney(sandbox)
    assert other.press(grid, "U1")["code"] == 3
    assert other.fetch(grid["id"]) is None
    running = mj.post("/submit/imagine", prompt="a fox [[fault:stuck]]")["result"]
    early = mj.post("/submit/action", taskId=running, customId="MJ::BOOKMARK::x")
    assert (early["code"], early["description"]) == (4, "关联任务状态错误")
