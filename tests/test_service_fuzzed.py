"""The service under inputs that nobody thought of: schemathesis reads the OpenAPI document and sends what it allows.

``ORP_FUZZ_EXAMPLES`` says how many per route and phase (default 30, 500 and more in all; ``make soak`` 300, so 5,000).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from tests.conftest import SOAK
from tests.served_app import SIGNED_IN, guarded_app

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = int(os.environ.get("ORP_FUZZ_EXAMPLES", "300" if SOAK else "30"))


@pytest.fixture(scope="module")
def described(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), tmp_path_factory.mktemp("door"))
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers=SIGNED_IN)


def _checks(operation: Any) -> list[Any]:
    """Return all checks but two.

    That valid cases are answered: a schema cannot say which of all texts is a histology. That a batch with a bad entry
    is refused as a whole: each of its entries succeeds or fails by itself.
    """
    left_out = {"positive_data_acceptance"}
    if operation.path == "/predict/batch":
        left_out.add("negative_data_rejection")
    names = set(schemathesis.checks.CHECKS.get_all_names()) - left_out
    return [schemathesis.checks.CHECKS.get_one(name) for name in sorted(names)]


def _fuzz(operation: Any, mode: Any) -> int:
    """Send cases of one route and check every answer against the description; return how many were sent."""
    sent = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, derandomize=not SOAK, suppress_health_check=list(HealthCheck), database=None)
    def one(case: Any) -> None:
        nonlocal sent
        sent += 1
        response = case.call(headers=SIGNED_IN)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=_checks(operation), headers=SIGNED_IN)

    one()
    return sent


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_input_breaks_the_service_or_its_description(described: Any, mode: str) -> None:
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) >= 10
    sent = {one.label: _fuzz(one, schemathesis.GenerationMode(mode)) for one in operations if _has_input(one, mode)}
    assert sum(sent.values()) >= (2_500 if SOAK else 250), sent


def _has_input(operation: Any, mode: str) -> bool:
    """Tell whether a route has anything that could be wrong; a plain GET has not."""
    return mode == "positive" or bool(operation.body) or bool(list(operation.path_parameters))
