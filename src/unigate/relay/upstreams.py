"""Sending to a route: endpoint and request head of each route and credential are made once and kept."""

from unigate.routing.choice import Candidate
from unigate.spec.operation import Operation
from unigate.spec.provider import Request
from unigate.upstream import Client, Endpoint, endpoint

#: Kept request heads; a configuration has far fewer.
KEPT = 10_000
_JSON = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"), (b"user-agent", b"unigate"))


class Upstreams:
    """The client with a memory of request heads."""

    def __init__(self, client: Client, *, allow_private: bool, proxy: str | None = None) -> None:
        self.client = client
        self._allow_private = allow_private
        self._proxy = proxy
        self._kept: dict[tuple[str, str, str, str], tuple[Endpoint, Request]] = {}

    def forget(self) -> None:
        """Channels have changed."""
        self._kept.clear()

    def to(self, candidate: Candidate, operation: Operation) -> tuple[Endpoint, Request]:
        """Where and with which head a call goes by a candidate."""
        route = candidate.route
        name = (route.channel.id, candidate.credential.id, operation.name, route.model)
        return self._kept.get(name) or self._keep(name, candidate, operation)

    def _keep(
        self, name: tuple[str, str, str, str], candidate: Candidate, operation: Operation
    ) -> tuple[Endpoint, Request]:
        channel = candidate.route.channel
        options = channel.options
        proxy = options.get("proxy", self._proxy)
        where, base = endpoint(
            channel.base_url,
            proxy=str(proxy) if proxy else None,
            allow_private=self._allow_private,
            verify=options.get("tls_verify", True) is not False,
            ca_file=str(options["ca_file"]) if "ca_file" in options else None,
        )
        made = channel.provider.request(
            operation.upstream_path, operation.name, candidate.route.model, candidate.credential, options
        )
        named = {header for header, _ in made.headers}
        headers = tuple(h for h in _JSON if h[0] not in named) + made.headers
        kept = (where, Request(made.method, base + made.target, headers))
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[name] = kept
        return kept
