"""How long the clinical adapters take, by part: CPU of this process, the median of several requests."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.sources.mcode import read_bundle
from serving.body import read_object
from serving.fhir.answer_bundle import answer_bundle
from serving.fhir.content import fhir_response
from serving.fhir.settings import ClinicalSettings
from serving.predictor import Predictor
from tests.fhir_records import observation, parameters, quantity, record

BUNDLE_BYTES = 160_000
BUDGET_MS = 15.0
"""Issue 8: a 160 KB bundle, contributions included."""

SLACK = 3.0
"""A test machine that does other things at the same time; ``-m bench`` holds the budget itself."""


def large_request() -> bytes:
    """The whole record among as many other observations as make 160 KB."""
    found = record()
    filler = [
        observation(f"other-{k}", "8480-6", note=[{"text": "of no concern here"}], **_measured(k)) for k in range(1000)
    ]
    for one in filler:
        found["entry"].append({"fullUrl": f"https://ehr.example/Observation/{one['id']}", "resource": one})
        if len(found["entry"]) % 20 == 0 and len(json.dumps(parameters(record=found))) > BUNDLE_BYTES:
            break
    return json.dumps(parameters(record=found)).encode()


def _measured(number: int) -> dict[str, Any]:
    return {"valueQuantity": quantity("x", "8480-6", 100 + number % 60, "mm[Hg]")["valueQuantity"]}


def milliseconds(act: Callable[[], Any], rounds: int = 15) -> float:
    """Return the median CPU milliseconds of one call."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        act()
        found.append(1000 * (time.process_time() - began))
    return statistics.median(found)


def parts_of(predictor: Predictor) -> dict[str, float]:
    """Return the CPU of each part of one answer without its record, in milliseconds."""
    body = large_request()
    raw = read_object(body)
    read = read_bundle(raw)
    read.raise_for_errors()
    cases = list(read.cases)
    answers = predictor.answers(cases)
    settings = ClinicalSettings("Dr. A. Example", "https://orp.hospital.example")
    answered = answer_bundle(read, cases, answers, predictor, settings)
    return {
        "parse": milliseconds(lambda: read_object(body)),
        "read": milliseconds(lambda: read_bundle(raw)),
        "answer": milliseconds(lambda: predictor.answers(cases)),
        "bundle": milliseconds(lambda: answer_bundle(read, cases, answers, predictor, settings)),
        "write": milliseconds(lambda: fhir_response(answered)),
    }


def test_a_bundle_of_160_kb(served_models: Path) -> None:
    parts = parts_of(Predictor.from_folder(served_models, synthetic=True))
    assert sum(parts.values()) < SLACK * BUDGET_MS, parts


@pytest.mark.bench
def test_a_bundle_of_160_kb_within_its_budget(served_models: Path) -> None:
    parts = parts_of(Predictor.from_folder(served_models, synthetic=True))
    print({name: round(value, 2) for name, value in parts.items()}, round(sum(parts.values()), 2))
    assert sum(parts.values()) < BUDGET_MS, parts


def test_the_request_is_of_the_size_it_is_said_to_be() -> None:
    assert BUNDLE_BYTES <= len(large_request()) <= 1.1 * BUNDLE_BYTES
