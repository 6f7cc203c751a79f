"""The prompt cache of a vendor: which long beginnings of prompts were seen before in this process."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b


class PrefixCache:
    """Remembers hashes of beginnings of prompts, in steps; bounded."""

    def __init__(self, limit: int = 50_000) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._limit = limit

    def clear(self) -> None:
        """Forget all prompts."""
        self._seen.clear()

    def seen(self, owner: str, tokens: Sequence[str], least: int, step: int) -> int:
        """How many leading tokens were seen before for this owner, a multiple of `step`, 0 below `least`.

        The prompt is remembered. Its last token never counts, as a vendor must read something.
        """
        digest = blake2b(owner.encode() + b"\0", digest_size=16)
        known = 0
        unbroken = True
        for end in range(step, len(tokens), step):
            digest.update("\0".join(tokens[end - step : end]).encode())
            if end < least:
                continue
            name = digest.digest()
            if name in self._seen:
                self._seen.move_to_end(name)
                known = end if unbroken else known
            else:
                unbroken = False
                self._seen[name] = None
        while len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return known
