"""A gateway before the sandbox with models that speak and hear, and what a test needs to look into sound."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from support.sounds import looked, silence
from support.stage import KEY, Stage, set_stage
from support.world import Process

CHANNELS = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: [tts-1, tts-1-hd, gpt-4o-mini-tts, whisper-1, gpt-4o-transcribe, gpt-4o-mini-transcribe,
      gpt-4o-transcribe-diarize, gpt-4o]
  - {name: azure, provider: azure_openai, base_url: SANDBOX/azure, credentials: sk-azure,
     options: {api_version: "2025-03-01-preview"}, models: {azure-whisper: whisper-1, azure-tts: gpt-4o-mini-tts}}
  - {name: groq, provider: groq, base_url: SANDBOX/groq/openai/v1, credentials: sk-groq,
     models: [whisper-large-v3-turbo, playai-tts]}
  - {name: cut, provider: openai, base_url: "SANDBOX/fault/cut-after:3/openai/v1", credentials: sk-cut,
     models: {cut-tts: tts-1, cut-mini-tts: gpt-4o-mini-tts, cut-transcribe: gpt-4o-transcribe}}
  - {name: silent, provider: openai, base_url: "SANDBOX/fault/missing-usage/openai/v1", credentials: sk-silent,
     models: {silent-whisper: whisper-1, silent-transcribe: gpt-4o-transcribe, silent-tts: gpt-4o-mini-tts}}
  - {name: slow, provider: openai, base_url: "SANDBOX/fault/hang-after:2/openai/v1", credentials: sk-slow,
     models: {slow-mini-tts: gpt-4o-mini-tts}}
  - {name: down, provider: openai, base_url: "SANDBOX/fault/500/openai/v1", credentials: sk-down,
     models: {broken: whisper-1, broken-tts: tts-1}}
  - {name: half, provider: openai, base_url: "SANDBOX/fault/503/openai/v1", credentials: sk-half,
     models: {twice: whisper-1}, priority: 9}
  - {name: other, provider: openai, base_url: "SANDBOX/openai/v1", credentials: sk-other, models: {twice: whisper-1}}
prices:
  - {model: azure-whisper, per_minute: 0.006}
  - {model: azure-tts, input: 0.6, audio_output: 12}
  - {model: cut-tts, per_million_characters: 15}
  - {model: cut-mini-tts, input: 0.6, audio_output: 12}
  - {model: slow-mini-tts, input: 0.6, audio_output: 12}
  - {model: silent-tts, input: 0.6, audio_output: 12}
  - {model: cut-transcribe, input: 2.5, audio_input: 2.5, output: 10}
  - {model: silent-transcribe, input: 2.5, audio_input: 2.5, output: 10}
  - {model: silent-whisper, per_minute: 0.006}
  - {model: broken, per_minute: 0.006}
  - {model: broken-tts, per_million_characters: 15}
  - {model: twice, per_minute: 0.006}
users:
  - {name: alice, email: alice@example.com, credit: 100}
  - {name: small, email: small@example.com, credit: "0.0005"}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: small, user: small, secret: sk-small-0123456789}
"""
__all__ = ["CODECS", "cost", "form", "looked", "silence", "sound_stage", "speech"]
#: How PyAV names what a format is encoded by.
CODECS = {
    "mp3": ("mp3float", "mp3"),
    "opus": ("opus", "libopus"),
    "aac": ("aac",),
    "flac": ("flac",),
    "wav": ("pcm_s16le",),
}


def sound_stage(home: Path, vendors: Process) -> Stage:
    """The gateway."""
    return set_stage(home, vendors, CHANNELS)


def speech(stage: Stage, key: str = KEY, **body: object) -> httpx.Response:
    """A call for speech."""
    return httpx.post(f"{stage.url}/v1/audio/speech", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)


def form(
    stage: Stage,
    sound: bytes,
    *,
    name: str = "sound.wav",
    path: str = "transcriptions",
    key: str = KEY,
    headers: Mapping[str, str] = {},
    **fields: Any,
) -> httpx.Response:
    """A call with a file of sound."""
    return httpx.post(
        f"{stage.url}/v1/audio/{path}",
        data=fields,
        files={"file": (name, sound, "audio/wav" if name.endswith("wav") else "application/octet-stream")},
        headers={"authorization": f"Bearer {key}", **headers},
        timeout=60,
    )


def cost(row: Mapping[str, Any]) -> Decimal:
    """What a row cost, in USD."""
    return Decimal(row["cost"]) / 10**9
