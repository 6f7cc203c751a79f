"""A client of Suno as the public web clients are: it submits, asks every so often, and opens what comes."""

import io
from dataclasses import dataclass
from typing import Any

import av
import httpx

from support.stage import Stage
from support.waiting import wait_until
from unigate.sandbox.media import music_ear
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

CHANNELS = """
channels:
  - {name: suno-one, provider: suno_relay, base_url: SANDBOX/suno, credentials: sk-suno-one, models: [suno]}
  - {name: suno-two, provider: suno_relay, base_url: SANDBOX/suno, credentials: sk-suno-two, models: [suno]}
settings: {tasks: {poll_scale: 0.2}}
users: [{name: alice, credit: 100}, {name: bob, credit: 100}, {name: poor, credit: 0}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""
BOB, POOR = "sk-bob-0123456789", "sk-poor-0123456789"
ENDS = ("SUCCESS", "FAILURE")
#: The mean height of a wave below which nothing is heard, of 32768.
SILENT = 60
Told = dict[str, Any]


@dataclass
class Suno:
    """Calls with one key, below `/suno`."""

    stage: Stage
    key: str = ""
    prefix: str = "/suno"

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Call something."""
        shown = {"authorization": f"Bearer {self.key or self.stage.key}"}
        url = f"{self.stage.url}{self.prefix}{path}"
        return httpx.request(method, url, json=body, headers=shown, timeout=60, verify=False)

    def good(self, method: str, path: str, body: object = None) -> Any:
        """What a call answers that is in order."""
        reply = self.call(method, path, body)
        assert reply.status_code == 200, (path, reply.status_code, reply.text)
        return reply.json()

    def post(self, path: str, **body: object) -> Any:
        """POST a body that is in order."""
        return self.good("POST", path, body)

    def refused(self, path: str, status: int = 400, *, method: str = "POST", **body: object) -> str:
        """The code of a refusal, whose form is looked at."""
        reply = self.call(method, path, body if method == "POST" else None)
        assert reply.status_code == status, (path, reply.status_code, reply.text)
        told = reply.json()
        assert told["data"] is None and told["message"] and told["error"]["message"] == told["message"]
        assert reply.headers["x-request-id"]
        return str(told["code"])

    def fetch(self, id: str) -> Told:
        """A task as it stands."""
        told = self.good("GET", f"/fetch/{id}")
        assert (told["code"], told["message"]) == ("success", "")
        found: Told = told["data"]
        return found

    def until(self, id: str) -> Told:
        """The task once it has ended."""
        found: Told = {}

        def look() -> bool:
            found.update(self.fetch(id))
            return found["status"] in ENDS

        wait_until(look, what=f"the task {id} to end: {found.get('status')}", seconds=120)
        return found

    def taken(self, path: str, **body: object) -> str:
        """The id of a submission."""
        told = self.post(path, **body)
        assert told["code"] == "success" and told["id"] == told["data"], told
        return str(told["data"])

    def done(self, path: str, **body: object) -> list[Told]:
        """The clips of a submission, once they are there."""
        task = self.until(self.taken(path, **body))
        assert task["status"] == "SUCCESS", task
        clips: list[Told] = task["data"]
        return clips

    def songs(self, **body: object) -> list[Told]:
        """Songs by `submit/music`."""
        return self.done("/submit/music", **body)

    def uploaded(self, sound: bytes, name: str = "tune.wav") -> str:
        """The clip of a sound that went through the five steps."""
        first = self.post("/uploads/audio", extension=name.rpartition(".")[2])
        assert first["is_file_uploaded"] is False
        sent = httpx.post(first["url"], data=first["fields"], files={"file": (name, sound)}, timeout=60, verify=False)
        assert sent.status_code == 204, sent.text
        about = f"/uploads/audio/{first['id']}"
        self.post(f"{about}/upload-finish", upload_type="file_upload", upload_filename=name)
        state: Told = {}

        def look() -> bool:
            state.update(self.good("GET", about))
            return state["status"] in ("complete", "error")

        wait_until(look, what=f"the upload: {state}", seconds=60)
        assert state["status"] == "complete", state
        clip = str(self.post(f"{about}/initialize-clip")["clip_id"])
        assert state["s3_id"] == f"m_{clip}"
        return clip


def opened(address: str) -> bytes:
    """A file."""
    reply = httpx.get(address, timeout=60, verify=False)
    assert reply.status_code == 200, (address, reply.status_code)
    return reply.content


def heard(address: str) -> Samples:
    """The sound of a file, which is not silent."""
    samples = music_ear.decoded(opened(address))
    assert samples and sum(map(abs, samples)) / len(samples) > SILENT, address
    return samples


def seconds(address: str) -> float:
    """How long a sound is."""
    return len(heard(address)) / RATE


def streams(address: str) -> list[str]:
    """What is in a file: `audio`, `video`."""
    with av.open(io.BytesIO(opened(address)), "r") as file:
        return sorted(stream.type for stream in file.streams)


def good_song(clip: Told, stage: Stage) -> float:
    """How long a clip is that is complete, with all its files on the gateway."""
    assert clip["status"] == "complete" and clip["title"], clip
    assert clip["audio_url"].startswith(stage.url) and clip["image_url"].startswith(stage.url)
    length = seconds(clip["audio_url"])
    assert abs(length - clip["metadata"]["duration"]) < 0.2
    assert opened(clip["image_large_url"]).startswith(b"\x89PNG")
    assert clip["handle"] == clip["display_name"] == "" and clip["user_id"].startswith("usr_")
    return length
