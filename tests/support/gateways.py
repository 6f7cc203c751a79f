"""Gateways on one database that take turns in serving one SDK: what one of them did, the next one knows."""

from dataclasses import dataclass
from itertools import cycle

import httpx2
import openai

from support.stage import Stage

CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: [sk-upstream-one, sk-upstream-two]
    models: [gpt-4o-mini, gpt-4o, gpt-4o-mini-2024-07-18, gpt-3.5-turbo-instruct, text-embedding-3-small, omni-moderation-latest,
      gpt-realtime, tts-1, gpt-4o-mini-tts, whisper-1, gpt-4o-transcribe,
      gpt-4o-transcribe-diarize, gpt-image-1, dall-e-2, dall-e-3]
prices:
  - {model: "ft:gpt-4o-mini*", input: 0.3, output: 1.2}
users: [{name: alice, credit: 1000}, {name: bob, credit: 1000}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: bob, user: bob, secret: sk-bob-0123456789, scopes: [relay, platform]}
"""
BOB = "sk-bob-0123456789"


@dataclass(frozen=True)
class Gateways:
    """One or several."""

    stages: tuple[Stage, ...]

    @property
    def key(self) -> str:
        """The key of a user with enough money."""
        return self.stages[0].key

    @property
    def origins(self) -> list[str]:
        """Where they are."""
        return [stage.url for stage in self.stages]

    def sdk(self, key: str | None = None) -> openai.OpenAI:
        """The SDK, whose calls go to each in turn, without its own retries so that nothing is hidden."""
        return openai.OpenAI(
            base_url=f"{self.origins[0]}/v1",
            api_key=key or self.key,
            max_retries=0,
            timeout=30,
            http_client=httpx2.Client(transport=_Turns(self.origins), timeout=30),
        )

    def async_sdk(self) -> openai.AsyncOpenAI:
        """The same for asyncio."""
        return openai.AsyncOpenAI(
            base_url=f"{self.origins[0]}/v1",
            api_key=self.key,
            max_retries=0,
            timeout=30,
            http_client=httpx2.AsyncClient(transport=_AsyncTurns(self.origins), timeout=30),
        )

    def sound(self) -> None:
        """Nothing is in use any more, and the books agree."""
        self.stages[0].settled()
        self.stages[0].sound()


class _Turns(httpx2.HTTPTransport):
    """Sends each request to the next address."""

    def __init__(self, origins: list[str]) -> None:
        super().__init__()
        self._next = cycle([httpx2.URL(origin) for origin in origins])

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _send_to(request, next(self._next))
        return super().handle_request(request)


class _AsyncTurns(httpx2.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self, origins: list[str]) -> None:
        super().__init__()
        self._next = cycle([httpx2.URL(origin) for origin in origins])

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        _send_to(request, next(self._next))
        return await super().handle_async_request(request)


def _send_to(request: httpx2.Request, to: httpx2.URL) -> None:
    request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
    request.headers["host"] = to.netloc.decode()
