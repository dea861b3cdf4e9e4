"""Subgroups and what is judged over cohorts: small groups counted, AUROCs never over concatenated cohorts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from models.metrics import auroc, brier
from tests.quick_recipe import recipe, two_cohorts
from training.judged import Forecast, Scene
from training.resampling import resample
from training.subgroups import subgroup_labels, subgroup_table
from training.within_cohorts import over_cohorts


def scene(name, n=200, level=0.0, seed=1):
    random = np.random.default_rng(seed)
    z = random.normal(level, 1, n)
    y = (random.random(n) < expit(z)).astype(float)
    people = np.array([f"{name}{i}" for i in range(n)])
    rising = Forecast("model", np.vstack([expit(z), expit(z + 0.1)]))
    return Scene("resampled", name, y, people, np.full(n, "LUAD"), np.ones(n, dtype=bool), (rising,))


def test_aurocs_are_taken_within_cohorts():
    one, other = scene("a", level=-2.0), scene("b", level=2.0, seed=2)
    found = over_cohorts([one, other], resamples=50)
    y = np.concatenate([one.outcome, other.outcome])
    p = np.concatenate([one.forecasts[0].values[0], other.forecasts[0].values[0]])
    areas = [auroc(part.outcome, part.forecasts[0].values[0]) for part in (one, other)]
    assert min(areas) <= found["auroc"].value <= max(areas) < auroc(y, p)
    rates = np.repeat([one.outcome.mean(), other.outcome.mean()], 200)
    own = np.mean(
        [
            1 - brier(y, row) / brier(y, rates)
            for row in (p, np.concatenate([s.forecasts[0].values[1] for s in (one, other)]))
        ]
    )
    assert found["brier_skill"].value == pytest.approx(own, abs=1e-12)
    assert found["cohorts"] == 2


def test_a_small_group_is_counted_and_not_scored():
    few = scene("a").take(np.arange(15))
    found = over_cohorts([few], resamples=10)
    assert found == {"n": 15, "events": int(few.outcome.sum()), "cohorts": 1, "note": "counted, not scored"}
    assert over_cohorts([], resamples=10)["n"] == 0


def test_groups_of_an_attribute_hold_every_case_once():
    pool = two_cohorts(120)
    scenes = resample(recipe(), pool, folds=2, repeats=1, seed=1)
    table = subgroup_table(scenes, pool, resamples=20)
    for attribute in subgroup_labels(pool):
        rows = [row for row in table.rows if row["by"] == attribute]
        assert sum(row["n"] for row in rows) == len(pool)
        assert sum(row["events"] for row in rows) == pool.outcome.sum()
    assert {"cohort", "histology", "sex", "age", "prior lines"} <= {row["by"] for row in table.rows}


def test_age_bands_have_their_edges():
    from training.subgroups import _age_bands

    found = _age_bands(np.array([49.9, 50, 64.9, 65, 75, np.nan])).tolist()
    assert found == ["under 50", "50 to 64", "50 to 64", "65 to 74", "75 and over", "unknown"]
