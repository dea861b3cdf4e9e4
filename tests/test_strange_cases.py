"""The real tables, published arms and boosters on whatever a record can hold: every answer holds its own rules."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from features.case import read_case
from features.from_cases import batch_of
from features.sources.synthetic import draw
from models.answer import answer_of
from models.settings import BoostedSettings
from tests.quick_recipe import SETTINGS
from tests.strategies import raw_cases
from training.evidence_for import evidence_without
from training.fit import Recipe, fit_model
from training.pool import Pool

if TYPE_CHECKING:
    from features.table import Family
    from models.response import ResponseModel

BOTH: tuple[Family, Family] = ("checkpoint", "targeted")

HISTOLOGIES = ("LUAD", "CUP", "GBM", "AML")
THERAPIES: tuple[dict[str, Any], ...] = (
    {"class": "pd1_pdl1"},
    {"agents": ["pembrolizumab", "lenvatinib"]},
    {"agents": ["osimertinib"]},
    {"agents": ["carboplatin"]},
    {"agents": ["rituximab"]},
)
EXTREMES: tuple[dict[str, Any], ...] = (
    {},
    {"tmb": {"mut_per_mb": 0.0}},
    {"tmb": {"mut_per_mb": 999.0}},
    {"patient": {"age_years": 0}},
    {"patient": {"age_years": 110, "nlr": 100, "albumin_g_per_dl": 1, "platelets_per_nl": 2000}},
    {"prior_lines": 20},
    {"alterations": [], "specimen": {"source": "blood"}},
)


@lru_cache(maxsize=2)
def whole(family: Family) -> ResponseModel:
    """All three terms on a few invented cases."""
    boosted = BoostedSettings(on=True, seeds=2, trees=10, smallest_leaf=20)
    recipe = Recipe(
        f"{family}-response",
        family,
        replace(SETTINGS, evidence=True, boosted=boosted),
        evidence_without(family, (), ()),
        card={"endpoint": "orr", "trained_on": "invented", "synthetic": True},
    )
    return fit_model(recipe, Pool.of([draw(family, 250, 5)]))


def held(raw: dict[str, Any], family: Family) -> None:
    answers = whole(family).answers(batch_of([read_case(raw)]))
    scores, answer = answers.scores, answer_of(answers, 0)
    assert np.isfinite(scores.log_odds[0])
    assert 0 <= scores.low[0] <= scores.probability[0] <= scores.high[0] <= 1
    assert scores.low[0] < scores.high[0]
    assert abs(scores.base + scores.phi[0].sum() - scores.log_odds[0]) <= 1e-9
    assert (answer["status"] == "predicted") is (answer["reasons"] == []) is (answer["probability"] is not None)
    assert all("{" not in one["text"] for one in (*answer["reasons"], *answer["warnings"]))


@pytest.mark.parametrize("family", BOTH)
def test_extremes_of_the_record(family: Family) -> None:
    for histology, therapy, more in product(HISTOLOGIES, THERAPIES, EXTREMES):
        held({"histology": histology, "therapy": therapy, **more}, family)


@pytest.mark.parametrize("family", BOTH)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=raw_cases())
def test_whatever_a_record_holds(family: Family, raw: dict[str, Any]) -> None:
    held(raw, family)
