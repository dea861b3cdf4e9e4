"""A 160 KB bundle is read fast enough that the whole answer can be given in 15 ms of processor time."""

from __future__ import annotations

import copy
import json
import time

import pytest

from features.sources.mcode import read_bundle
from tests.fhir_invented import component, gene, hgvs, quantity, variant, whole

BYTES = 160_000
MOST_MS = 8.0
"""Milliseconds of processor time, best of several: what the other parts leave of 15 (JSON in 2.4, the answer 2.0, its
bundle and JSON out 0.6, log and HTTP 2.0; measured one by one on a quiet machine)."""


def large_bundle() -> dict[str, object]:
    """The whole bundle with as many more variants as make 160 KB."""
    raw = copy.deepcopy(whole())
    place = 0
    while len(json.dumps(raw, indent=1)) < BYTES:
        for _ in range(10):
            parts = [
                gene(f"GENE{place}"),
                hgvs("p", f"p.A{place + 1}V"),
                component("81258-6", valueQuantity=quantity(12.5, "%")),
            ]
            raw["entry"].append({"resource": variant(*parts, identity=f"more{place}")})
            place += 1
    return raw


@pytest.mark.bench
def test_a_large_bundle_is_read_in_time() -> None:
    """Best of 20, so that a busy machine does not decide."""
    raw = large_bundle()
    read_bundle(raw, therapy="pembrolizumab")
    best = float("inf")
    for _ in range(20):
        start = time.process_time()
        found = read_bundle(raw, therapy="pembrolizumab")
        best = min(best, (time.process_time() - start) * 1000)
    assert found.case is not None
    assert best < MOST_MS, f"{best:.1f} ms"
