"""Sending to a route: endpoint and request head of each route and credential are made once and kept."""

from collections.abc import Mapping
from dataclasses import replace

from unigate.base.clock import now_ms
from unigate.routing.choice import Candidate
from unigate.spec.channel import Channel
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential, Headers, Request
from unigate.spec.task import Message
from unigate.upstream import Client, Endpoint, below, endpoint

#: Kept request heads; a configuration has far fewer.
KEPT = 10_000
_BARE = ((b"accept-encoding", b"identity"), (b"user-agent", b"unigate"))
_JSON = ((b"content-type", b"application/json"), *_BARE)
_NOTHING: Mapping[str, str] = {}


class Upstreams:
    """The client with a memory of request heads."""

    def __init__(self, client: Client, *, allow_private: bool, proxy: str | None = None) -> None:
        self.client = client
        self._allow_private = allow_private
        self._proxy = proxy
        self._kept: dict[tuple[str, str, str, str], tuple[Endpoint, Request]] = {}
        #: By channel: itself as it was then, where it is, and the path of its base URL.
        self._sites: dict[str, tuple[Channel, Endpoint, str]] = {}

    def forget(self) -> None:
        """Channels have changed."""
        self._kept.clear()
        self._sites.clear()

    def message(self, channel: Channel, credential: Credential, message: Message) -> tuple[Endpoint, Request]:
        """Where and with which head a message of a task API goes."""
        where, base = self._site(channel)
        made = channel.provider.task_request(message, credential, channel.options, now_ms=now_ms())
        named = {header for header, _ in made.headers}
        headers = tuple(h for h in _BARE if h[0] not in named) + made.headers
        return where, Request(made.method, below(base, made.target), headers)

    def to(self, candidate: Candidate, operation: Operation) -> tuple[Endpoint, Request]:
        """Where and with which head a call goes by a candidate."""
        route = candidate.route
        name = (route.channel.id, candidate.credential.id, operation.name, route.model)
        kept = self._kept.get(name)
        if kept is None or 0 < kept[1].expires_at <= now_ms():
            return self._keep(name, candidate, operation)
        return kept

    def about(
        self,
        candidate: Candidate,
        operation: Operation,
        upstream_id: str,
        query: str,
        places: Mapping[str, str] = _NOTHING,
    ) -> tuple[Endpoint, Request]:
        """The same for a call about one thing, which is made anew each time; `query` is the caller's.

        `places`: what else stands in its path.
        """
        where, request = self._made(candidate, operation, {**places, "id": upstream_id})
        joint = "&" if "?" in request.target else "?"
        return where, replace(request, target=request.target + joint + query) if query else request

    def socket(
        self, candidate: Candidate, operation: Operation, query: str, headers: Headers, secret: str | None = None
    ) -> tuple[Endpoint, Request]:
        """Where and with which head a WebSocket is asked for, made anew each time; `query` names the model where it may.

        `secret`: a short-lived one of the vendor's that goes in place of the credential.
        """
        where, request = self._made(candidate, operation)
        joint = "&" if "?" in request.target else "?"
        kept = request.headers
        if secret is not None:
            own = candidate.credential.secret.encode()
            kept = tuple(pair for pair in kept if own not in pair[1])
            kept += ((b"authorization", b"Bearer " + secret.encode()),)
        named = {name for name, _ in kept}
        kept += tuple(pair for pair in headers if pair[0] not in named)
        return where, replace(request, target=request.target + joint + query if query else request.target, headers=kept)

    def _keep(
        self, name: tuple[str, str, str, str], candidate: Candidate, operation: Operation
    ) -> tuple[Endpoint, Request]:
        kept = self._made(candidate, operation)
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[name] = kept
        return kept

    def _made(
        self, candidate: Candidate, operation: Operation, values: Mapping[str, str] = _NOTHING
    ) -> tuple[Endpoint, Request]:
        channel = candidate.route.channel
        options = channel.options
        where, base = self._site(channel)
        made = channel.provider.request(
            operation.upstream_path,
            operation.name,
            candidate.route.model,
            candidate.credential,
            options,
            method=operation.method,
            values=values,
            now_ms=now_ms(),
        )
        named = {header for header, _ in made.headers}
        usual = _JSON if operation.body == "json" else _BARE
        headers = tuple(h for h in usual if h[0] not in named) + made.headers
        if operation.body == "form":  # whose content type, with its boundary, is each call's own
            headers = tuple(h for h in headers if h[0] != b"content-type")
        return where, Request(made.method, below(base, made.target), headers, made.expires_at)

    def _site(self, channel: Channel) -> tuple[Endpoint, str]:
        """The endpoint of a channel, and the path of its base URL."""
        known = self._sites.get(channel.id)
        if known is not None and known[0] is channel:
            return known[1], known[2]
        options = channel.options
        proxy = options.get("proxy", self._proxy)
        where, base = endpoint(
            channel.base_url,
            proxy=str(proxy) if proxy else None,
            allow_private=self._allow_private,
            verify=options.get("tls_verify", True) is not False,
            ca_file=str(options["ca_file"]) if "ca_file" in options else None,
        )
        self._sites[channel.id] = (channel, where, base)
        return where, base
