"""Zhipu AI (GLM): keys of an id and a secret, shown or signed with; codes in figures; usage with the end of a stream.

https://docs.bigmodel.cn/api-reference. A signed token is good where its secret is `sandbox-secret`, whatever the id.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from starlette.datastructures import Headers

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face, usage_with_finish
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.face import bearer

SECRET = b"sandbox-secret"
_PARTS = 3
_MODELS = Models(
    (
        Model(name="glm-4.5-air", owner="z-ai", sees=False),
        Model(name="glm-4.6", owner="z-ai", context=200_000, output=131_072, sees=False),
        Model(name="glm-4.7", owner="z-ai", context=200_000, output=131_072, reasoning=True, sees=False),
        Model(name="glm-5.2", owner="z-ai", context=1_000_000, output=131_072, reasoning=True, sees=False),
    )
)
_WORDS = {
    400: Words(400, "", "1210", "The parameters of the API call are wrong, please check the documentation."),
    401: Words(401, "", "1000", "Authentication failed."),
    402: Words(429, "", "1113", "Insufficient balance or no resource package. Please recharge."),
    403: Words(429, "", "1112", "Your account has been locked, please contact customer service to unlock it."),
    429: Words(429, "", "1302", "Your account has reached its limit of requests."),
    500: Words(500, "", "1234", "Network error, please contact customer service."),
}


class _Claims(msgspec.Struct):
    api_key: str
    exp: int
    timestamp: int


def _credential(headers: Headers) -> str | None:
    """A key as it is, or that of a token whose signature and term are good."""
    token = bearer(headers)
    if token is None or token.count(".") != _PARTS - 1:
        return token
    text, _, signature = token.rpartition(".")
    expected = urlsafe_b64encode(hmac.digest(SECRET, text.encode(), hashlib.sha256)).rstrip(b"=")
    try:
        payload = text.partition(".")[2]
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (msgspec.DecodeError, ValueError):
        return "invalid token"
    good = hmac.compare_digest(expected, signature.encode()) and claims.timestamp <= clock.now_ms() < claims.exp
    return f"{claims.api_key}.{SECRET.decode()}" if good else "invalid token"


def _write(error: VendorError) -> Object:
    return {"error": {"code": error.code or "1210", "message": error.message}}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda _name: VendorError(400, "The model does not exist, please check its name.", code="1211"),
    identity=lambda dice: "2026112118" + seeds.hexadecimal(dice, 16),
    usage=detailed,
    events=usage_with_finish(detailed),
    whole=lambda answer, _outcome: {**answer, "request_id": answer["id"]},
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 16),
)

FACE = openai_face("zhipu", "Zhipu AI", "/api/paas/v4", _MANNER, words=_WORDS, write=_write, credential=_credential)
