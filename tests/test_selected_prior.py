"""Idle columns are held at exactly 0 where the cases are likelier without them, and few cases leave all in."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import Column
from features.sources.synthetic import draw
from features.table import FeatureTable
from models.idle_columns import Quadratic, columns_kept
from models.inputs import logistic
from models.response_fit import fit_response
from models.selected_prior import SHADOWS, selected
from models.settings import BoostedSettings, LinearSettings, ResponseSettings

SETTINGS = LinearSettings(prior="selected")


def flags(names: list[str], group: Any) -> list[Column]:
    return [Column(name, name, group) for name in names]


def case_of(n: int, effects: list[float], seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = (rng.random((n, len(effects))) < 0.2).astype(float)
    return x, (rng.random(n) < logistic(-0.5 + x @ np.array(effects))).astype(float)


def kept(found: Any) -> list[bool]:
    return (~np.isnan(found.matrix)).any(axis=0).tolist()


def test_what_does_something_stays_and_what_does_nothing_goes() -> None:
    x, y = case_of(8_000, [1.0, -0.8, *[0.0] * 8])
    columns = flags([f"gene_{place}" for place in range(10)], "alterations")
    found = selected(x, columns, y, np.ones(len(y)), None, SETTINGS)
    assert kept(found)[:2] == [True, True]
    assert sum(kept(found)) <= 3


def test_few_cases_say_nothing_and_leave_all_in() -> None:
    x, y = case_of(150, [0.0] * 6)
    found = selected(x, flags(list("abcdef"), "alterations"), y, np.ones(len(y)), None, SETTINGS)
    assert all(kept(found))


@pytest.mark.parametrize("group", ["histology", "therapy"])
def test_nested_levels_stay_whatever_they_say(group: Any) -> None:
    x, y = case_of(4_000, [0.0] * 6)
    found = selected(x, flags(list("abcdef"), group), y, np.ones(len(y)), None, SETTINGS)
    assert all(kept(found))


def test_a_column_within_a_tissue_needs_more_and_leaves_the_interval_too() -> None:
    x, y = case_of(4_000, [0.0] * 8)
    columns = flags([*"abcd", *(f"{name}__in_LUNG" for name in "efgh")], "alterations")
    found = selected(x, columns, y, np.ones(len(y)), None, SETTINGS)
    assert kept(found)[4:] == [False] * 4
    in_doubt = (~np.isnan(found.in_doubt)).any(axis=0).tolist()
    assert in_doubt == [True] * 4 + [False] * 4


def shadow_kept(shadow: str, unknown: float) -> bool:
    """Whether a count that follows a feature is in, where the feature is unknown in a share of the cases."""
    rng = np.random.default_rng(3)
    burden = rng.normal(size=2_000)
    follows = 0.8 * burden + 0.6 * rng.normal(size=2_000)
    y = (rng.random(2_000) < logistic(-0.5 + 0.5 * burden + 0.08 * follows)).astype(float)
    x = np.column_stack([np.where(rng.random(2_000) < unknown, np.nan, burden), follows])
    of = SHADOWS.get(shadow, "tmb_mut_per_mb")
    columns = [Column(of, of, "tmb", "1"), Column(shadow, shadow, "alterations", "1")]
    return kept(selected(x, columns, y, np.ones(len(y)), None, SETTINGS))[1]


@pytest.mark.parametrize("shadow", SHADOWS)
def test_what_follows_a_known_feature_needs_more_than_a_finding_does(shadow: str) -> None:
    assert shadow_kept("a_finding", 0.0)
    assert not shadow_kept(shadow, 0.0)


@pytest.mark.parametrize("shadow", SHADOWS)
def test_what_follows_a_feature_speaks_for_it_where_it_is_often_unknown(shadow: str) -> None:
    assert shadow_kept(shadow, 0.5)


def test_a_case_of_weight_two_counts_as_two() -> None:
    x, y = case_of(600, [0.9, 0.0, 0.0])
    columns = flags(list("abc"), "alterations")
    twice = selected(x, columns, y, np.full(600, 2.0), None, SETTINGS)
    both = selected(np.vstack([x, x]), columns, np.tile(y, 2), np.ones(1_200), None, SETTINGS)
    assert kept(twice) == kept(both)
    for name, factor in twice.settings.group_penalty.items():
        assert factor == pytest.approx(both.settings.group_penalty[name], rel=1e-9)


def _log_posterior(form: Quadratic, log_odds: Any, inside: Any) -> float:
    at = np.flatnonzero(inside)
    inner = form.curvature[np.ix_(at, at)] + np.diag(form.precision[at])
    fitted = 0.5 * form.pull[at] @ np.linalg.solve(inner, form.pull[at])
    return float(
        fitted - 0.5 * np.linalg.slogdet(inner)[1] + 0.5 * np.log(form.precision[at]).sum() + log_odds[at].sum()
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 5))
def test_no_set_one_column_away_is_likelier(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, k))
    form = Quadratic(x.T @ x, x.T @ rng.normal(size=40) * 2, np.full(k, 5.0))
    log_odds = rng.normal(size=k)
    found = columns_kept(form, np.ones(k, dtype=bool), log_odds, np.ones(k, dtype=bool))
    best = _log_posterior(form, log_odds, found)
    for place in range(k):
        other = found.copy()
        other[place] = not other[place]
        assert best >= _log_posterior(form, log_odds, other) - 1e-6


def test_uncorrelated_columns_are_judged_as_all_sets_would() -> None:
    form = Quadratic(np.diag([80.0, 50.0, 20.0]), np.array([30.0, 8.0, 12.0]), np.full(3, 6.0))
    log_odds = np.log([1.5, 1.5, 1 / 9])
    every = [np.array(one) for one in product([True, False], repeat=3)]
    best = max(every, key=lambda one: _log_posterior(form, log_odds, one))
    found = columns_kept(form, np.ones(3, dtype=bool), log_odds, np.ones(3, dtype=bool))
    assert found.tolist() == best.tolist()


def test_a_model_holds_idle_features_at_exactly_nothing_and_still_adds_up() -> None:
    cohort = draw("checkpoint", 3_000, 7)
    batch = cohort.batch()
    model = fit_response(
        batch,
        cohort.response,
        cohort.patient_ids,
        table=FeatureTable.for_family("checkpoint").fit(batch),
        evidence=None,
        settings=ResponseSettings(linear=SETTINGS, boosted=BoostedSettings(on=False)),
        card={"name": "checkpoint-response", "endpoint": "orr", "synthetic": True},
    ).model
    assert model.terms.linear is not None
    fresh = draw("checkpoint", 60, 8, cohort="external").batch()
    scores = model.answers(fresh).scores
    silent = [name for place, name in enumerate(model.feature_names) if not scores.phi[:, place].any()]
    assert len(silent) > 10
    assert np.abs(scores.base + scores.phi.sum(axis=1) - scores.log_odds).max() < 1e-9
    assert (model.terms.linear.coefficients == 0).sum() > len(model.table.columns) // 4
