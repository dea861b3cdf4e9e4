"""OpenTelemetry: nothing unless the site asks; then one span per request, and no value of a request in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.testclient import TestClient

from serving import tracing
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.tracing import EXPORTERS, TracedRequests, provider_of_site
from tests.served_app import SIGNED_IN, guarded_app
from tests.service_process import asked, serving

NEVER = ("MRN-44871", "Jane-Q-Doe", "p.G12C", "dev_of_the_tests", "47.0625")
CASE = {**EXAMPLE_CASE, "case_id": "MRN-44871", "patient_id": "Jane-Q-Doe"}
ATTRIBUTES = {"http.request.method", "http.route", "http.response.status_code", "oncorespond.request_id"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def client(served_models: Path, tmp_path: Path, kept: InMemorySpanExporter) -> TestClient:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = TracedRequests(guarded_app(predictor, ServiceMetrics(), tmp_path), provider.get_tracer("tests"))
    return TestClient(app, headers=SIGNED_IN)


def test_a_span_says_route_and_status_and_no_value(client: TestClient, kept: InMemorySpanExporter) -> None:
    answered = client.post("/predict", json=CASE, headers={"x-patient": "Jane-Q-Doe", "baggage": "patient=Jane-Q-Doe"})
    assert answered.status_code == 200
    client.post("/predict?patient=Jane-Q-Doe", json={**CASE, "patient": {"albumin_g_per_dl": 47.0625}})
    client.get("/predictions/Jane-Q-Doe")
    client.get("/Jane-Q-Doe/MRN-44871")
    client.request("JANE-Q-DOE", "/model")
    client.get("/model", headers={"authorization": "Bearer Jane-Q-Doe"})
    spans = kept.get_finished_spans()
    told = [(one.name, (one.attributes or {})["http.response.status_code"]) for one in spans]
    assert told == [
        ("POST /predict", 200),
        ("POST /predict", 422),
        ("GET /predictions/{id}", 404),
        ("GET other", 404),
        ("other other", 405),
        ("GET /model", 401),
    ]
    assert all(set(one.attributes or {}) == ATTRIBUTES for one in spans)
    assert (spans[0].attributes or {})["oncorespond.request_id"] == answered.headers["x-request-id"]
    written = "".join(one.to_json() for one in spans)
    assert [value for value in NEVER if value in written] == []


def test_it_joins_the_callers_trace_and_probes_leave_none(client: TestClient, kept: InMemorySpanExporter) -> None:
    client.get("/livez")
    client.get("/readyz")
    client.get("/version", headers={"traceparent": PARENT})
    client.get("/version", headers={"traceparent": "no trace"})
    joined, own = kept.get_finished_spans()
    assert joined.parent is not None
    assert f"{joined.context.trace_id:032x}" in PARENT
    assert own.parent is None


def test_a_fault_is_marked_and_its_text_is_not_kept(kept: InMemorySpanExporter) -> None:
    async def failing(*_: Any) -> None:
        raise ValueError("Jane-Q-Doe")

    async def unavailable(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("tests")
    with pytest.raises(ValueError, match="Jane"):
        TestClient(TracedRequests(failing, tracer)).get("/model")
    TestClient(TracedRequests(unavailable, tracer)).get("/model")
    failed, refused = kept.get_finished_spans()
    assert failed.events == ()
    assert "Jane-Q-Doe" not in failed.to_json()
    assert refused.status.status_code is StatusCode.ERROR


def test_without_an_endpoint_there_is_nothing() -> None:
    app: Any = object()
    assert provider_of_site({}) is None
    assert provider_of_site({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}) is None
    assert not tracing.asked_for(os.environ), "the tests' own environment"
    closing: list[Any] = []
    assert tracing.traced(app, closing) is app
    assert closing == []


def test_without_the_exporter_it_says_so_and_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(EXPORTERS, "http/protobuf", "opentelemetry.exporter.nobody_has_this")
    assert provider_of_site({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    asked_for = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    assert provider_of_site(asked_for) is None
    ours = [one.message for one in caplog.records if one.name == tracing.log.name]
    assert ours == ["tracing_unavailable"] * 2


@contextmanager
def _collector() -> Iterator[tuple[str, list[bytes]]]:
    """Take OTLP over HTTP, as a site's collector does."""
    taken: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_the_service_sends_its_spans_to_a_collector_the_last_ones_when_it_stops(
    served_models: Path, tmp_path: Path
) -> None:
    with _collector() as (address, taken):
        # the first batch would be sent after an hour: what comes was sent by the stop
        late = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
        with serving(tmp_path, served_models, OTEL_EXPORTER_OTLP_ENDPOINT=address, **late) as served:
            assert asked(served.address, "/predict", served.token, CASE)[0] == 200
            assert served.token
    requests = [ExportTraceServiceRequest.FromString(one) for one in taken]
    resources = [one for request in requests for one in request.resource_spans]
    spans = [span for one in resources for scope in one.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["POST /predict"]
    assert {one.key: one.value.string_value for one in resources[0].resource.attributes}[
        "service.name"
    ] == "oncorespond"
    assert [value for value in (*NEVER, served.token) if value.encode() in b"".join(taken)] == []
