"""Signatures: as receivers' own libraries check them."""

from datetime import UTC, datetime

import pytest
from hooks_kit import SECRET, SECRETS, VAULT
from replicate.webhook import Webhooks, WebhookSigningSecret
from standardwebhooks.webhooks import Webhook as Checker
from standardwebhooks.webhooks import WebhookVerificationError

from unigate.tasks.signing import context, is_secret, new_secret, sign, to_seal, user_secret


def texts(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def test_a_known_signature() -> None:
    body = b'{"id":"gm3qorzdhgbfurvjtvhg6dckhu","status":"succeeded"}'
    secret, id = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
    headers = texts(sign(secret, id, 1787220001, body))
    assert headers == {
        "webhook-id": id,
        "webhook-timestamp": "1787220001",
        "webhook-signature": "v1,siGEeDnT7T+IQU+FXaS79wZLPUXhWfj6gByrSyqmAr0=",
    }


@pytest.mark.parametrize("secret", [user_secret(SECRET, "usr_1"), user_secret("x", ""), ""])
def test_both_libraries_accept_it_and_nothing_that_was_changed(secret: str) -> None:
    secret = secret or new_secret()
    body = '{"text":"héllo, 世界"}'.encode()
    headers = texts(sign(secret, "msg_1", now(), body))
    Checker(secret).verify(body, headers)
    Webhooks.validate(headers=headers, body=body.decode(), secret=WebhookSigningSecret(key=secret))
    with pytest.raises(WebhookVerificationError):
        Checker(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Checker(secret).verify(body, {**headers, "webhook-id": "msg_2"})
    with pytest.raises(WebhookVerificationError):
        Checker(new_secret()).verify(body, headers)


def test_either_of_two_secrets_is_enough() -> None:
    one, two = new_secret(), new_secret()
    headers = texts(sign((one, two), "msg_1", now(), b"{}"))
    for secret in (one, two):
        Checker(secret).verify(b"{}", headers)


def test_a_users_secret_is_theirs_and_stays() -> None:
    secret = user_secret(SECRET, "usr_1")
    assert secret == user_secret(SECRET, "usr_1")
    assert len({secret, user_secret(SECRET, "usr_2"), user_secret("other", "usr_1")}) == 3
    for number in range(200):
        made = user_secret(SECRET, f"usr_{number}")
        assert is_secret(made) and made.count("_") == 1 and "-" not in made


def test_what_a_secret_is() -> None:
    assert is_secret("whsec_" + "A" * 32) and is_secret(new_secret())
    for text in ("", "whsec_", "A" * 32, "whsec_" + "A" * 28, "whsec_" + "A" * 120, "whsec_!!" + "A" * 30, "whsec_AAA"):
        assert not is_secret(text), text


def test_a_webhooks_own_secret_and_the_one_before_for_a_while() -> None:
    assert SECRETS.of_webhook("hook_1", "usr_1", b"", 5) == (user_secret(SECRET, "usr_1"),)
    sealed = VAULT.seal(to_seal("whsec_new", "whsec_old", 1000), context("hook_1")).encode()
    assert SECRETS.of_webhook("hook_1", "usr_1", sealed, 999) == ("whsec_new", "whsec_old")
    assert SECRETS.of_webhook("hook_1", "usr_1", sealed, 1000) == ("whsec_new",)
