"""The management API of a running gateway with two workers: from the printed login to a customer's paid call."""

from pathlib import Path

import httpx

from support.waiting import wait_until
from support.world import start


def test_from_the_printed_login_to_a_customers_call(tmp_path: Path) -> None:
    arguments = ["demo", "--port", "0", "--workers", "2", "--data", str(tmp_path / "data"), "--json"]
    process = start(arguments, tmp_path / "log")
    try:
        login = {"email": process.said["admin"]["email"], "password": process.said["admin"]["password"]}
        signed_in = httpx.post(process.url + "/api/sessions", json=login, timeout=30)
        assert signed_in.status_code == 201, signed_in.text
        auth = {"authorization": f"Bearer {signed_in.json()['token']}"}

        def api(method: str, path: str, **body: object) -> httpx.Response:
            # A connection each time, so that both workers are asked.
            reply = httpx.request(method, process.url + path, json=body or None, headers=auth, timeout=30)
            assert reply.status_code < 300, reply.text
            return reply

        api("PATCH", "/api/groups/default", multiplier="2")
        api("POST", "/api/users", name="carol", credit="1")
        key = api("POST", "/api/keys", name="app", user="carol", budgets={"total": "0.5"}).json()

        def call() -> httpx.Response:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
            headers = {"authorization": f"Bearer {key['secret']}"}
            return httpx.post(process.url + "/v1/chat/completions", json=body, headers=headers, timeout=30)

        reply = call()
        assert reply.status_code == 200, reply.text
        cost = reply.headers["x-unigate-cost"]

        def used() -> bool:
            shown = api("GET", f"/api/keys/{key['id']}").json()["used"]
            return bool(shown == {"day": cost, "month": cost, "total": cost})

        wait_until(used, what="the call's cost beside the key's budget", seconds=30)
        wait_until(lambda: api("GET", "/api/users/carol").json()["used"] == cost, what="the user's", seconds=30)
        for _ in range(4):
            assert call().status_code == 200
        api("PATCH", f"/api/keys/{key['id']}", enabled=False)
        wait_until(lambda: {call().status_code for _ in range(6)} == {401}, what="the key refused everywhere")
        api("DELETE", "/api/sessions/current")
        for _ in range(4):
            assert httpx.get(process.url + "/api/me", headers=auth, timeout=30).status_code == 401
    finally:
        process.stop()
    assert "ses_" not in process.log.read_text() and login["password"] not in process.log.read_text()
