"""How fast cases become columns: bars of issue 3 in CPU time, best of many, moved when the machine itself is slow.

Other work on the same cores can double the CPU time of anything, by sharing caches and execution units. So a fixed
piece of small calls is timed beside each bar, and the load is read: where that piece takes longer than on the machine
the bars were set on, or more processes want to run than there are cores, the bar moves by that factor, at most to
four times. A faster machine does not move it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from features.case import read_case
from features.from_cases import batch_of
from features.sources.synthetic import draw, example_case
from features.table import FeatureTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.case import Case

SINGLE_CASE_SECONDS = 0.5e-3
"""CPU seconds from one Case to its row (issue 3, done when 4)."""
SHOW_SECONDS = 1e-3
"""CPU seconds to put all features of one case into words."""
CASES_PER_SECOND = 100_000
"""From Batch to matrix, on one core (issue 3, done when 4)."""
MOST_SLOWER = 4.0
"""A bar is never moved further than this."""
USUAL_PACE_SECONDS = 170e-6
"""CPU seconds of :func:`_pace` on the machine of the bars (2 shared cores, numpy 2.4) when nothing else runs."""

FAMILIES = ("checkpoint", "targeted")


def _pace() -> None:
    """Call many different small things once, as the builders do: it slows down with them when caches are shared."""
    for size in range(6, 10):
        row = np.arange(float(size))
        for function in (
            np.isnan,
            np.sign,
            np.abs,
            np.log1p,
            np.sqrt,
            np.floor,
            np.exp2,
            np.cumsum,
            np.sort,
            np.argsort,
        ):
            row = np.where(row > 1.0, function(row), row)
        codes = np.array([int(value) % 3 for value in row.tolist()], dtype=np.int64)
        counts = np.bincount(codes, minlength=3)
        np.maximum.at(row, codes, 1.0)
        np.bitwise_or.reduceat(codes, [0, 2])
        np.unique(codes, return_inverse=True)
        np.concatenate([row, counts, row[codes]]).reshape(1, -1).any(axis=0).nonzero()
        sorted({f"{code}" for code in codes.tolist()})


def _best(work: Callable[[], object], calls: int, rounds: int) -> float:
    """Return CPU seconds of one call: the best of some rounds of calls."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            work()
        taken.append((time.process_time() - start) / calls)
    return min(taken)


def _how_much_slower() -> float:
    crowded = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(max(1.0, crowded, _best(_pace, 20, 10) / USUAL_PACE_SECONDS), MOST_SLOWER)


def _within(bar: float, work: Callable[[], object], calls: int) -> tuple[bool, str]:
    """Say whether a piece of work keeps its bar in one of a few tries, and in words what was measured."""
    seconds = slower = 0.0
    for _ in range(6):
        slower = _how_much_slower()
        seconds = _best(work, calls, 25)
        if seconds < bar * slower:
            break
    return seconds < bar * slower, f"{1e6 * seconds:.0f} us, bar {1e6 * bar:.0f} us times {slower:.2f}"


def _rich_case(family: Any) -> Case:
    raw = example_case(family)
    raw["alterations"] = [
        {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C", "vaf": 0.31},
        {"gene": "STK11", "kind": "mutation", "protein_change": "p.Q37*", "vaf": 0.35},
        {"gene": "TP53", "kind": "mutation", "protein_change": "p.R273H", "vaf": 0.28},
        {"gene": "FAT1", "kind": "mutation", "protein_change": "p.R1627Q", "vaf": 0.12},
        {"gene": "KEAP1", "kind": "mutation", "protein_change": "p.R320Q", "vaf": 0.2},
        {"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R", "vaf": 0.3},
        {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E", "vaf": 0.1},
        {"gene": "ERBB2", "kind": "amplification", "copies": 12},
        {"gene": "CDKN2A", "kind": "deletion"},
        {"gene": "ALK", "kind": "fusion", "status": "absent"},
    ]
    docetaxel = {"agents": ["docetaxel"], "line": 2, "best_response": "SD", "started_days_before_index": 35}
    return read_case({**raw, "prior_therapies": [*raw["prior_therapies"], docetaxel], "prior_lines": 2})


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request: pytest.FixtureRequest) -> tuple[str, FeatureTable, Any]:
    batch = draw(request.param, 10_000, seed=11).batch()
    return request.param, FeatureTable.for_family(request.param).fit(batch), batch


def test_one_case_is_encoded_in_half_a_millisecond(fitted: tuple[str, FeatureTable, Any]) -> None:
    family, table, _ = fitted
    case = _rich_case(family)
    assert len(case.alterations or ()) == 10
    assert len(case.prior_therapies or ()) == 2
    kept, measured = _within(SINGLE_CASE_SECONDS, lambda: table.matrix(batch_of([case])), 20)
    assert kept, measured


def test_one_case_is_put_into_words_in_a_millisecond(fitted: tuple[str, FeatureTable, Any]) -> None:
    family, table, _ = fitted
    batch = batch_of([_rich_case(family)])
    kept, measured = _within(SHOW_SECONDS, lambda: table.show(batch, 0), 10)
    assert kept, measured


def test_a_batch_becomes_a_matrix_at_a_hundred_thousand_cases_a_second(fitted: tuple[str, FeatureTable, Any]) -> None:
    _, table, batch = fitted
    kept, measured = _within(batch.n / CASES_PER_SECOND, lambda: table.matrix(batch), 1)
    assert kept, measured


def test_a_case_of_a_large_batch_is_shown_without_reading_the_others(fitted: tuple[str, FeatureTable, Any]) -> None:
    _, table, batch = fitted
    kept, measured = _within(2 * SHOW_SECONDS, lambda: table.show(batch, batch.n - 1), 5)
    assert kept, measured
