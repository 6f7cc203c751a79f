"""By what a submission is known when it comes again: a caller's `Idempotency-Key`, or what an official client says of its tries."""

from hashlib import sha256

from unigate.relay.call import Call
from unigate.store.idempotency import Token

_REPEATED = b"x-stainless-retry-count"
#: Nobody tries as often as a longer number says.
_DIGITS = 9


def token_of(call: Call) -> Token | None:
    """By what a request is known when it comes again; None where nobody could tell.

    A client that repeats by itself says how often it has: its first try takes the token of what it sends, so that the
    second finds it, while the same request on purpose makes another task.
    """
    x, key = call.x, call.key
    digest = sha256(x.method + b"\n" + x.path + b"\n" + call.body).digest()
    named = x.header(b"idempotency-key")
    if named:
        return Token(user_id=key.user_id, token="k:" + sha256(named).hexdigest(), digest=digest)
    tries = x.header(_REPEATED)
    if tries is None or not tries.isdigit() or len(tries) > _DIGITS:
        return None
    return Token(
        user_id=key.user_id,
        token="r:" + sha256(key.id.encode() + digest).hexdigest(),
        digest=digest,
        renews=int(tries) == 0,
    )
