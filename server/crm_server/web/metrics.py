"""``/metrics`` for Prometheus: what this replica does, what it has to do, and what is left of the budgets.

Counters and histograms are kept as calls come (:class:`PrometheusMeter`); gauges are read when somebody asks.
Labels have few values, and all of them are names of ours: no caller, no record, no text of the CRM.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from crm_server import __version__
from crm_server.metering import Meter
from crm_server.web.health import CHECK_SECONDS, Health
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from starlette.requests import Request

    from crm_server.policy.limits import Left
    from crm_server.web.turns import Load

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""From a call that needs no CRM to the deadline of an operation."""
_TOO_MANY = 429

Budgets = Callable[[], Awaitable[tuple["Left", ...]]]
"""What is left of the limits on all callers together.

Raises:
    StateError: Nobody knows at the moment.
"""


class PrometheusMeter(Meter):
    """Keeps counters and histograms in a registry of its own."""

    def __init__(self) -> None:
        # When a counter was made would be a second series for each.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library forgot its type
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._calls = Counter(
            "crm_mcp_calls", "Calls by tool and outcome", ("tool", "outcome"), registry=self.registry
        )
        self._decisions = Counter(
            "crm_mcp_decisions", "Calls by the policy's decision", ("outcome",), registry=self.registry
        )
        self._call_seconds = Histogram(
            "crm_mcp_call_seconds", "Time of calls", ("effect",), buckets=_SECONDS, registry=self.registry
        )
        self._crm_seconds = Histogram(
            "crm_mcp_crm_request_seconds",
            "Time of requests to Dataverse, each try of its own",
            ("method", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._crm_waits = Histogram(
            "crm_mcp_crm_wait_seconds",
            "Time that requests to Dataverse waited for their turn",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._throttled = Counter("crm_mcp_crm_throttled", "Answers 429 of Dataverse", registry=self.registry)
        self._pauses = Counter(
            "crm_mcp_crm_pause_seconds", "Pauses that Dataverse asked for by 429", registry=self.registry
        )

    def called(self, tool: str, effect: str, outcome: str, decision: str, seconds: float) -> None:
        """A tool was called."""
        self._calls.labels(tool, outcome).inc()
        self._decisions.labels(decision).inc()
        self._call_seconds.labels(effect).observe(seconds)

    def waited_for_crm(self, seconds: float) -> None:
        """A request to the CRM had its turn."""
        self._crm_waits.observe(seconds)

    def asked_crm(self, method: str, status: int | None, seconds: float) -> None:
        """A request to the CRM was sent."""
        self._crm_seconds.labels(method, _class_of(status)).observe(seconds)

    def throttled(self, seconds: float) -> None:
        """The CRM answered 429."""
        self._throttled.inc()
        self._pauses.inc(seconds)


def _class_of(status: int | None) -> str:
    if status is None:
        return "none"
    return str(status) if status == _TOO_MANY else f"{status // 100}xx"


@dataclass(frozen=True, slots=True)
class Metrics:
    """What ``/metrics`` tells, but for the queue and the health of the application that serves it."""

    meter: PrometheusMeter
    budgets: Budgets
    policy: Callable[[], str]
    """The digest of the policy in force."""

    def endpoint(self, load: Load, health: Health) -> Callable[[Request], Awaitable[Response]]:
        """Answers requests for the metrics."""

        async def metrics(request: Request) -> Response:
            encode, content_type = choose_encoder(request.headers.get("accept", ""))
            missing = await health.missing()
            ready = {name: name not in missing for name in health.names}
            now = _Now(self.meter.registry, load, ready, await self._left(), self.policy())
            return Response(encode(now), headers={"content-type": content_type, "cache-control": "no-store"})

        return metrics

    async def _left(self) -> tuple[Left, ...]:
        """What is left; nothing where the state does not tell in time, which the state's readiness says."""
        with anyio.move_on_after(CHECK_SECONDS):
            try:
                return await self.budgets()
            except StateError:
                pass
        return ()


@dataclass(frozen=True, slots=True)
class _Now(Collector):
    """What was counted so far, and how things are."""

    counted: CollectorRegistry
    load: Load
    ready: Mapping[str, bool]
    left: tuple[Left, ...]
    policy: str

    def collect(self) -> Iterator[Metric]:
        yield from self.counted.collect()
        yield InfoMetricFamily("crm_mcp", "The server", {"version": __version__, "policy": self.policy})
        yield GaugeMetricFamily("crm_mcp_calls_running", "Calls under way", self.load.running)
        yield GaugeMetricFamily("crm_mcp_calls_waiting", "Calls that wait for a turn", self.load.waiting)
        yield _labelled(
            CounterMetricFamily("crm_mcp_calls_refused", "Calls turned away", labels=("reason",)),
            self.load.refused.items(),
        )
        yield _labelled(
            GaugeMetricFamily("crm_mcp_ready", "1 where it is there, else 0", labels=("dependency",)),
            self.ready.items(),
        )
        yield _labelled(
            GaugeMetricFamily(
                "crm_mcp_budget_left", "What is left of a limit on all callers together", labels=("limit",)
            ),
            ((one.name, one.left) for one in self.left),
        )
        yield _labelled(
            GaugeMetricFamily("crm_mcp_budget", "That limit as the policy sets it", labels=("limit",)),
            ((one.name, one.limit) for one in self.left),
        )


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, values: Iterable[tuple[str, float]]) -> Metric:
    for label, value in values:
        family.add_metric((label,), value)
    return family
