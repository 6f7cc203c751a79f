"""`/api/audit`: every change once, found by who, what and when; the shell and the config file write it too."""

from pathlib import Path
from typing import Any

from api_kit import Api, fields

from unigate.base.settings import Settings, load
from unigate.manage import groups, users
from unigate.manage.apply import apply

FILE = """
secret: a-secret-a-secret
groups: [{name: vip, multiplier: 2}]
users: [{name: fred, group: vip, credit: 5}]
keys: [{name: app, user: fred, secret: sk-fred-0123456789}]
"""


async def test_changes_are_found_by_who_what_and_when(api: Api) -> None:
    operator = await api.someone("operator", "oscar")
    await groups.create_group(api.desk, "shelled")
    made = (await operator.post("/api/groups", name="team")).json()
    await operator.patch("/api/groups/team", multiplier="2")

    async def found(**query: Any) -> list[tuple[str, str, str]]:
        reply = await operator.get("/api/audit", **query)
        assert reply.status_code == 200, reply.text
        return [(row["actor"], row["action"], row["subject"]) for row in reply.json()["data"]]

    mine = [("oscar", "set", "team"), ("oscar", "create", "team")]
    assert await found() == [*mine, ("shell", "create", "shelled"), ("shell", "create", "oscar")]
    assert await found(actor_id=operator.id) == mine
    assert await found(actor_id="shell", kind="group") == [("shell", "create", "shelled")]
    assert await found(kind="group", action="set") == mine[:1]
    assert await found(subject_id=made["id"]) == mine
    rows = (await operator.get("/api/audit")).json()["data"]
    assert rows[0]["changes"] == {"multiplier": ["1", "2"]} and rows[0]["address"] == "127.0.0.1"
    assert await found(until=rows[-1]["at"]) == []
    assert len(await found(since=rows[-1]["at"])) == 4
    first = (await operator.get("/api/audit", limit=3)).json()
    assert await found(limit=3, cursor=first["next"]) == [("shell", "create", "oscar")]
    assert fields(await operator.get("/api/audit", since="yesterday")) == {"since"}
    assert fields(await operator.get("/api/audit", cursor="WyJhIiwiYiJd")) == {"cursor"}


async def test_the_config_file_writes_what_it_changes_and_nothing_the_second_time(api: Api, tmp_path: Path) -> None:
    operator = await api.someone("operator")

    def settings(text: str) -> Settings:
        path = tmp_path / "gateway.yaml"
        path.write_text(text)
        return load(path, data=tmp_path)

    async def by_file() -> list[tuple[str, str, dict[str, Any]]]:
        rows = (await operator.get("/api/audit", actor_id="file")).json()["data"]
        return [(row["action"], row["subject"], row["changes"]) for row in rows]

    async def applied(text: str) -> None:
        config = settings(text.replace("secret: a-secret", f"secret: {api.desk.secret}-a-secret")).config
        assert config is not None
        await apply(api.desk, config)

    await applied(FILE)
    first = await by_file()
    assert [(action, subject) for action, subject, _ in first] == [
        ("create", "fred/app"),
        ("create", "fred"),
        ("create", "vip"),
    ]
    assert "sk-fred" not in repr(first)
    await applied(FILE)
    assert await by_file() == first
    await applied(FILE.replace("multiplier: 2", "multiplier: 3"))
    assert (await by_file())[0] == ("set", "vip", {"multiplier": ["2", "3"]})
    await applied("secret: a-secret-a-secret\n")
    left = {"owned_by": ["file", "left"]}
    assert (await by_file())[:3] == [("set", "fred/app", left), ("set", "fred", left), ("set", "vip", left)]


async def test_a_change_that_fails_leaves_no_row(api: Api) -> None:
    operator = await api.someone("operator", "oscar")
    await users.create_user(api.desk, "bob")
    for path, form in (
        ("/api/users", {"name": "bob"}),
        ("/api/users", {"name": "x", "group": "nobody"}),
        ("/api/keys", {"name": "k", "user": "nobody"}),
        ("/api/groups", {"name": "default"}),
    ):
        assert (await operator.post(path, **form)).status_code >= 400
    assert (await operator.get("/api/audit", actor_id=operator.id)).json()["data"] == []
