"""How credentials are shown: bare, in a header of the vendor's own, or as a token that is signed and ends."""

import base64
import hashlib
import hmac
import json

import pytest

from unigate.dialects.openai_chat import OPERATIONS
from unigate.providers import catalogue
from unigate.relay import upstreams
from unigate.routing.choice import Router
from unigate.spec.channel import Channel
from unigate.spec.provider import Credential, Options, Request
from unigate.upstream import Client

CHAT = OPERATIONS[0]
NOW = 1_770_000_000_123
ZHIPU = catalogue()["zhipu"]


def ask(secret: str, options: Options, now_ms: int = NOW) -> Request:
    return ZHIPU.request("/chat/completions", "openai.chat", "glm", Credential("c", secret), options, now_ms=now_ms)


def token(request: Request) -> str:
    return dict(request.headers)[b"authorization"].decode().removeprefix("Bearer ")


def decoded(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_a_key_of_zhipu_is_shown_as_it_is_unless_it_is_to_be_signed() -> None:
    assert token(ask("a1.s3cret", {})) == "a1.s3cret"
    assert token(ask("a1.s3cret", {"signed": False})) == "a1.s3cret"
    assert token(ask("nodot", {"signed": True})) == "nodot"
    keyed = ask("a1.s3cret", {"signed": True, "key_header": "X-Key"})
    assert keyed.headers == ((b"x-key", b"a1.s3cret"),)
    assert keyed.expires_at == 0


def test_a_signed_token_of_zhipu() -> None:
    request = ask("a1.s3cret.more", {"signed": True})
    head, claims, signature = token(request).split(".")
    assert decoded(head) == {"alg": "HS256", "sign_type": "SIGN"}
    assert decoded(claims) == {"api_key": "a1", "exp": NOW + 600_000, "timestamp": NOW}
    expected = hmac.new(b"s3cret.more", f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) == expected
    assert "s3cret" not in token(request)
    assert NOW < request.expires_at <= NOW + 600_000, "it is made anew before the vendor refuses it"


async def test_a_signed_token_is_made_anew_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW
    monkeypatch.setattr(upstreams, "now_ms", lambda: now)
    channel = Channel(
        id="ch",
        name="glm",
        provider=ZHIPU,
        base_url="https://api.test/v4",
        credentials=(Credential("c", "a1.s3cret"),),
        models={"glm": "glm"},
        options={"signed": True},
    )
    (candidate,) = Router([channel]).routes("glm", "default", CHAT)
    client = Client()
    sender = upstreams.Upstreams(client, allow_private=False)
    _, first = sender.to(candidate, CHAT)
    now = first.expires_at - 1
    assert sender.to(candidate, CHAT)[1] is first
    now = first.expires_at
    _, second = sender.to(candidate, CHAT)
    assert token(second) != token(first)
    assert decoded(token(second).split(".")[1])["timestamp"] == now
    assert sender.to(candidate, CHAT)[1] is second
    await client.close()


@pytest.mark.parametrize("name", [name for name in catalogue() if name != "zhipu"])
def test_other_credentials_never_end(name: str) -> None:
    provider = catalogue()[name]
    options = dict.fromkeys(provider.needs, "1")
    request = provider.request("/x", "openai.chat", "m", Credential("c", "sk-1"), options, now_ms=NOW)
    assert request.expires_at == 0
    bearer = (b"authorization", b"Bearer sk-1")
    others = {"azure_openai": ((b"api-key", b"sk-1"),), "midjourney_proxy": ((b"mj-api-secret", b"sk-1"), bearer)}
    assert request.headers == others.get(name, (bearer,))
