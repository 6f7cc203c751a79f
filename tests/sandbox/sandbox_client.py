"""What tests of the sandbox use to talk to it: official SDKs, plain HTTP, raw events, and its log."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import openai

from support.waiting import wait_until

USER = {"role": "user", "content": "What is the weather like in a small garden?"}

Client = TypeVar("Client", bound=openai.OpenAI)


class Sandbox:
    """A running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(timeout=20)
        self._opened: list[openai.OpenAI] = []

    def openai(self, path: str = "/openai/v1", key: str = "sk-sandbox-0001", retries: int = 0) -> openai.OpenAI:
        """The official SDK on one of the base URLs."""
        return self.opened(openai.OpenAI(base_url=self.url + path, api_key=key, max_retries=retries, timeout=20))

    def opened(self, client: Client) -> Client:
        """A client that is closed together with this one."""
        self._opened.append(client)
        return client

    def close(self) -> None:
        """Close all connections."""
        self.http.close()
        for client in self._opened:
            client.close()

    def post(self, path: str = "/openai/v1", key: str | None = "sk-sandbox-0001", **body: Any) -> httpx.Response:
        """A chat call by plain HTTP."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body = {"model": "gpt-4o", "messages": [USER], **body}
        return self.http.post(f"{self.url}{path}/chat/completions", json=body, headers=headers)

    def events(self, path: str = "/openai/v1", **body: Any) -> list[str]:
        """What stands behind `data:` in each event of a streamed call."""
        text = self.post(path, stream=True, **body).text
        return [part.removeprefix("data: ") for part in text.split("\n\n") if part.startswith("data: ")]

    def chunks(self, path: str = "/openai/v1", **body: Any) -> list[dict[str, Any]]:
        """All events of a streamed call but the end marker, read as JSON."""
        return [json.loads(event) for event in self.events(path, **body) if event != "[DONE]"]

    def log(self, **filters: Any) -> list[dict[str, Any]]:
        """The log's entries that fit."""
        answer = self.http.get(f"{self.url}/sandbox/requests", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def last(self, **filters: Any) -> dict[str, Any]:
        """The latest entry that fits, once it has ended."""
        entry: dict[str, Any] = eventually(lambda: next(iter(reversed(_ended(self.log(**filters)))), None))
        return entry


def _ended(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["end"] != "open"]


def eventually(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What `found` gives once it gives something."""
    value: Any = None

    def look() -> bool:
        nonlocal value
        value = found()
        return bool(value)

    wait_until(look, seconds=seconds)
    return value


def user(text: str) -> list[Any]:
    """Messages with this one question."""
    return [{"role": "user", "content": text}]


def deltas(chunks: list[dict[str, Any]], index: int = 0) -> Iterator[dict[str, Any]]:
    """What each chunk adds to one choice."""
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] == index:
                yield choice["delta"]
