"""OpenTelemetry, where the site configures it: one span per request, without any value of a request.

The site says where spans go by OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_ENDPOINT`` and the others of its
specification) and installs the exporter. Without an endpoint nothing of this is loaded. A span holds the method, the
route's pattern, the status and the request's id of the log: no address, query, header, body, caller or error text.
BentoML's own spans, which hold whole addresses, are switched off (:mod:`serving.service`).
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from serving.metrics import known_method
from serving.security.asgi import as_answer_begins
from serving.security.routes import rule_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("oncorespond.serving")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

EXPORTERS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}
"""By protocol: modules that may be installed; each has an ``OTLPSpanExporter`` which reads its variables itself."""

NOT_TRACED = frozenset({"/livez", "/readyz"})
"""Probes come every few seconds and say nothing."""

LAST_S = 5.0
"""Seconds that a stopping service waits for its last spans to be taken."""


def asked_for(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the site wants spans.

    Examples
    --------
    >>> asked_for({}), asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    (False, True)
    >>> asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"})
    False
    """
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in ENDPOINTS)


def provider_of_site(environment: Mapping[str, str] = os.environ) -> TracerProvider | None:
    """Return what makes and sends spans; None where the site asks for none, or its exporter is not installed.

    A missing exporter is written to the log and keeps nothing from being served.
    """
    if not asked_for(environment):
        return None
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "http/protobuf")
    try:
        exporter = importlib.import_module(EXPORTERS[protocol]).OTLPSpanExporter()
    except (ImportError, KeyError) as fault:
        log.error("tracing_unavailable", extra={"fault": type(fault).__name__})
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "oncorespond"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def traced(app: ASGIApp, closing: list[Callable[[], None]]) -> ASGIApp:
    """Return the application with a span around each request where the site asks for them; else as it is.

    Parameters
    ----------
    closing
        Gets what sends the last spans when the service stops.
    """
    provider = provider_of_site()
    if provider is None:
        return app
    closing.append(lambda: _last_sent(provider))
    return TracedRequests(app, provider.get_tracer("oncorespond"))


def _last_sent(provider: TracerProvider) -> None:
    sending = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    sending.start()  # a collector that does not answer holds no stop up
    sending.join(timeout=LAST_S)


class TracedRequests:
    """ASGI: one span per request, a child of the caller's where it sends ``traceparent`` (W3C Trace Context).

    Parameters
    ----------
    app
        What answers, and gives each request its id.
    tracer
        Makes the spans.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within its span."""
        from opentelemetry.trace import SpanKind

        route = rule_for(scope["method"], scope["path"]).pattern if scope["type"] == "http" else ""
        if not route or route in NOT_TRACED:
            await self._app(scope, receive, send)
            return
        method = known_method(scope["method"])
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            context=_caller_of(scope),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": route},
            record_exception=False,  # its text may hold what was sent
            set_status_on_exception=False,
        ) as span:
            await self._app(scope, receive, _noting(span, send))
            span.set_attribute("oncorespond.request_id", scope.get("state", {}).get("request_id", "-"))


def _caller_of(scope: Scope) -> Any:
    """Return the context of the caller's span; of its headers only ``traceparent`` is read."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    return TraceContextTextMapPropagator().extract({"traceparent": sent.decode("latin-1")}, context=Context())


def _noting(span: Span, send: Send) -> Send:
    from opentelemetry.trace import StatusCode

    def told(start: Message) -> Message:
        span.set_attribute("http.response.status_code", start["status"])
        if start["status"] >= 500:
            span.set_status(StatusCode.ERROR)
        return start

    return as_answer_begins(send, told)
