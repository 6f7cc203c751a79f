"""Zhipu AI (GLM; Z.AI abroad).

https://docs.bigmodel.cn/api-reference and https://docs.z.ai/api-reference/api-code

A key is an id and a secret with a dot between. It is shown as it is, or, with the option `signed: true`, as a token that
is signed with the secret and good for some minutes, so that the secret itself never travels. Nearly all that is wrong
with an account has the status of a rate limit, told apart by a code.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode

import msgspec

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.dialects.vendor_fields import OLDER_LIMIT, fields
from unigate.spec.provider import Credential, Headers, Options, Provider, TimedAuth

#: A token is good for longer than it is used, so that a call that waits is not refused.
_GOOD_MS = 600_000
_USED_SECONDS = 300
_HEAD = {"alg": "HS256", "sign_type": "SIGN"}
#: The account is in arrears or has no package left; it, or its user, is locked.
_NO_MONEY = frozenset({"1113"})
_LOCKED = frozenset({"1110", "1111", "1112", "1120", "1121"})


def _shown(credential: Credential, options: Options, now_ms: int) -> Headers:
    name, dot, secret = credential.secret.partition(".")
    token = credential.secret
    if options.get("signed") is True and dot:
        claims = {"api_key": name, "exp": now_ms + _GOOD_MS, "timestamp": now_ms}
        text = b".".join(_part(msgspec.json.encode(part)) for part in (_HEAD, claims))
        token = (text + b"." + _part(hmac.digest(secret.encode(), text, hashlib.sha256))).decode()
    return ((b"authorization", b"Bearer " + token.encode()),)


def _part(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


PROVIDER = Provider(
    name="zhipu",
    title="Zhipu AI",
    base_url="https://open.bigmodel.cn/api/paas/v4",
    also_at=("https://api.z.ai/api/paas/v4",),
    speaks=("openai_chat", "openai_embeddings"),
    translations=embeds(Embedder()),
    paths=PATHS,
    auth=TimedAuth(_shown, _USED_SECONDS),
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
    adjust_error=meanings(
        Meaning(status=429, means=402, codes=_NO_MONEY), Meaning(status=429, means=403, codes=_LOCKED)
    ),
)
