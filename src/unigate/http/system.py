"""Health, readiness and metrics of a worker, as routes of the app beside the relay."""

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from unigate.base.money import NANO
from unigate.relay.metrics import BUCKETS, Metrics

#: Paths that the app beside the relay serves, and what those of the management API begin with.
_PATHS = frozenset({b"/healthz", b"/readyz", b"/metrics", b"/openapi.json", b"/api"})
_API = b"/api/"

#: What `/readyz` asks: name -> why it is not ready, or None.
Readiness = Callable[[], Awaitable[dict[str, str | None]]]


def is_management(path: bytes) -> bool:
    """Whether a path belongs to the app beside the relay."""
    return path in _PATHS or path.startswith(_API)


def routes(readiness: Readiness, gather: Callable[[], Metrics]) -> list[Route]:
    """The routes; `gather` gives the counters of all workers of this node."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        found = await readiness()
        failing = {name: why for name, why in found.items() if why is not None}
        body = {"status": "unavailable" if failing else "ok", "checks": {n: w or "ok" for n, w in found.items()}}
        return JSONResponse(body, status_code=503 if failing else 200)

    async def metrics(_request: Request) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Counters(gather()))
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    served = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return [Route(path, serve, include_in_schema=False) for path, serve in served.items()]


class _Counters(Collector):
    """Our counters as Prometheus families."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """All families."""
        labels = ["operation", "model", "channel", "end"]
        calls = CounterMetricFamily("unigate_calls", "Calls that reached a provider, by how they ended.", labels=labels)
        cost = CounterMetricFamily("unigate_cost_usd", "What callers were charged, in USD.", labels=labels)
        own = CounterMetricFamily("unigate_own_seconds", "The gateway's own share of the time.", labels=labels)
        estimated = CounterMetricFamily("unigate_estimated_calls", "Calls whose usage we estimated.", labels=labels)
        units = CounterMetricFamily("unigate_units", "Usage by unit.", labels=[*labels, "unit"])
        seconds = HistogramMetricFamily("unigate_call_seconds", "How long calls took.", labels=labels)
        for name, series in self._metrics.calls.items():
            calls.add_metric(name, series.calls)
            cost.add_metric(name, series.cost / NANO)
            own.add_metric(name, series.own_us / 1_000_000)
            estimated.add_metric(name, series.estimated)
            for unit, count in series.units.items():
                units.add_metric([*name, unit], count)
            seconds.add_metric(name, _cumulative(series.buckets), series.total_us / 1_000_000)
        refused = CounterMetricFamily("unigate_refused", "Calls refused before a provider was asked.", labels=["code"])
        for code, count in self._metrics.refused.items():
            refused.add_metric([code], count)
        attempts = CounterMetricFamily("unigate_failed_attempts", "Failed tries.", labels=["channel", "reason"])
        for failed, count in self._metrics.attempts.items():
            attempts.add_metric(failed, count)
        down = CounterMetricFamily("unigate_limiter_down", "Calls limited locally while the limiter was away.")
        down.add_metric([], self._metrics.limiter_down)
        dropped = CounterMetricFamily("unigate_kept_dropped", "Calls that were to be kept and are not.")
        dropped.add_metric([], self._metrics.kept_dropped)
        return [calls, cost, own, estimated, units, seconds, refused, attempts, down, dropped]


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total, out = 0, []
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
        total += count
        out.append((bound, float(total)))
    return out
