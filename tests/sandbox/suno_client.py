"""What tests of the imitation Suno server use to talk to it."""

import itertools
from typing import Any

import httpx
from sandbox_client import Sandbox, eventually

from unigate.sandbox.media import music_ear
from unigate.sandbox.media.waves import Samples

_NUMBERS = itertools.count()
Task = dict[str, Any]


class Suno:
    """A caller with an account of their own."""

    def __init__(self, sandbox: Sandbox, base: str = "/suno", key: str = "") -> None:
        self.sandbox = sandbox
        self.base = f"{sandbox.url}{base}/suno"
        self.key = key or f"suno-caller-{next(_NUMBERS)}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def send(self, path: str, **body: Any) -> httpx.Response:
        """A POST, whatever comes of it."""
        return self.sandbox.http.post(f"{self.base}{path}", json=body, headers=self._headers, timeout=60)

    def post(self, path: str, **body: Any) -> Any:
        """A POST that is answered with status 200."""
        answer = self.send(path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, path: str) -> httpx.Response:
        """A GET, whatever comes of it."""
        return self.sandbox.http.get(f"{self.base}{path}", headers=self._headers, timeout=60)

    def get(self, path: str) -> Any:
        """A GET that is answered with status 200."""
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, **body: Any) -> str:
        """The code of a refusal."""
        answer = self.send(path, **body)
        assert answer.status_code == 400, answer.text
        told = answer.json()
        assert told["data"] is None and told["message"] and told["error"]["message"] == told["message"]
        code: str = told["code"]
        return code

    def ended(self, answer: dict[str, Any]) -> Task:
        """The task that a submit made, once it has ended."""
        assert answer["code"] == "success", answer

        def look() -> Task | None:
            task: Task = self.get(f"/fetch/{answer['data']}")["data"]
            return task if task["status"] in ("SUCCESS", "FAILURE") else None

        found: Task = eventually(look, 90)
        return found

    def made(self, path: str = "/submit/music", **body: Any) -> list[dict[str, Any]]:
        """The clips of a task that ended well."""
        task = self.ended(self.post(path, **body))
        assert task["status"] == "SUCCESS", task
        clips: list[dict[str, Any]] = task["data"]
        return clips

    def file(self, address: str) -> bytes:
        """A file that an answer names."""
        answer = self.sandbox.http.get(address)
        assert answer.status_code == 200, address
        return answer.content

    def sound(self, clip: dict[str, Any]) -> Samples:
        """What is heard of a clip."""
        return music_ear.decoded(self.file(clip["audio_url"]))

    def uploaded(self, data: bytes, name: str = "tune.wav") -> Task:
        """The state of an upload that went through the form."""
        given = self.post("/uploads/audio", extension=name.rpartition(".")[2])
        answer = self.sandbox.http.post(given["url"], data=given["fields"], files={"file": (name, data)})
        assert answer.status_code == 204 and not answer.content
        body = {"upload_type": "file_upload", "upload_filename": name}
        assert self.post(f"/uploads/audio/{given['id']}/upload-finish", **body) == {}

        def look() -> Task | None:
            state: Task = self.get(f"/uploads/audio/{given['id']}")
            return state if state["status"] in ("complete", "error") else None

        found: Task = eventually(look, 60)
        return found
