"""Metrics in Prometheus' text form: requests, latency, answers, abstentions, warnings, probabilities, the log's lag.

No label holds a value of a patient or of a caller: routes by their pattern, families, coded reasons. With several
workers every worker writes into ``$PROMETHEUS_MULTIPROC_DIR`` (BentoML sets it) and any of them answers for all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the latency histogram; /predict takes 3 to 10 ms, the deadline is 30 s."""

PROBABILITIES = tuple(step / 20 for step in range(1, 21))
"""Bounds of the histogram of served probabilities: twentieths. A drift shows here before outcomes come in."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def known_method(method: str) -> str:
    """Return an HTTP method as a label: any other word that a caller sends is ``other``."""
    return method if method in _METHODS else "other"


class ServiceMetrics:
    """The counters of one worker.

    ``prometheus_client`` is imported here and not before: it reads its environment when it is imported, and BentoML
    sets that up first.

    Examples
    --------
    >>> metrics = ServiceMetrics()
    >>> metrics.count_answers([{"status": "abstained", "reasons": [{"code": "key_inputs_missing"}], "warnings": [],
    ...                         "model": {"name": "checkpoint-response"}}])
    >>> 'oncorespond_abstentions_total{model="checkpoint-response",reason="key_inputs_missing"} 1.0' in metrics.text()
    True
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._lag_of: Callable[[], float] | None = None
        self.registry = found = CollectorRegistry()
        self._requests = Counter(
            "oncorespond_requests", "Requests answered", ["route", "method", "status"], registry=found
        )
        self._seconds = Histogram(
            "oncorespond_request_seconds", "Time to answer", ["route"], buckets=LATENCY_SECONDS, registry=found
        )
        self._refusals = Counter("oncorespond_refusals", "Refusals by code", ["code"], registry=found)
        self._answers = Counter("oncorespond_answers", "Answers by status", ["model", "status"], registry=found)
        self._abstentions = Counter(
            "oncorespond_abstentions", "Reasons of abstained answers", ["model", "reason"], registry=found
        )
        self._warnings = Counter("oncorespond_warnings", "Warnings of answers", ["model", "code"], registry=found)
        self._probability = Histogram(
            "oncorespond_probability", "Served probabilities", ["model"], buckets=PROBABILITIES, registry=found
        )
        self._lag = Gauge(
            "oncorespond_audit_lag_seconds",
            "Age of the oldest answer that waits for its record",
            registry=found,
            multiprocess_mode="livemax",
        )

        self._swaps = Counter(
            "oncorespond_model_swaps", "Newly promoted models, taken or refused", ["outcome"], registry=found
        )
        self._refused = Gauge(
            "oncorespond_model_refused",
            "1 while a promoted model cannot be served and the one before it answers",
            registry=found,
            multiprocess_mode="livemax",
        )
        self._shadow = Counter("oncorespond_shadow_answers", "Answers of challengers", ["model"], registry=found)
        self._shadow_dropped = Counter(
            "oncorespond_shadow_dropped", "Cases that a challenger did not answer", ["cause"], registry=found
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is a pattern, never a path."""
        self._requests.labels(route, known_method(method), str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count one refusal by its code."""
        self._refusals.labels(code).inc()

    def count_answers(self, answers: Iterable[Mapping[str, Any]]) -> None:
        """Count answers as they are served; entries of a batch that were refused count as refusals."""
        for answer in answers:
            if "error" in answer:
                self.count_refusal(answer["error"]["code"])
            else:
                self._count_answer(answer)

    def audit_lag(self, seconds: float) -> None:
        """Say how long the oldest answer has waited for its record to be durable; 0 when none waits."""
        self._lag.set(seconds)

    def count_swap(self, outcome: str) -> None:
        """Count a newly promoted model: ``taken`` or ``refused``."""
        self._swaps.labels(outcome).inc()

    def model_refused(self, refused: bool) -> None:
        """Say whether what is promoted now cannot be served."""
        self._refused.set(float(refused))

    def count_shadow_answers(self, model: str, count: int) -> None:
        """Count recorded answers of a challenger."""
        self._shadow.labels(model).inc(count)

    def count_shadow_dropped(self, cause: str, count: int) -> None:
        """Count cases that a challenger did not answer, by cause."""
        if count:
            self._shadow_dropped.labels(cause).inc(count)

    def follow_lag(self, lag_s: Callable[[], float]) -> None:
        """Ask for the log's lag whenever the metrics are read."""
        self._lag_of = lag_s

    def text(self) -> str:
        """Return all metrics, those of all workers where they share a folder."""
        if self._lag_of is not None:
            self.audit_lag(self._lag_of())
        from prometheus_client import CollectorRegistry, generate_latest

        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry).decode()

    def _count_answer(self, answer: Mapping[str, Any]) -> None:
        model = answer["model"]["name"]
        self._answers.labels(model, answer["status"]).inc()
        for reason in answer["reasons"]:
            self._abstentions.labels(model, reason["code"]).inc()
        for code in {warning["code"] for warning in answer["warnings"]}:
            self._warnings.labels(model, code).inc()
        if answer.get("probability") is not None:
            self._probability.labels(model).observe(answer["probability"])
