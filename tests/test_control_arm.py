"""Control arm: only the therapy column changes, the interaction agrees with statsmodels, prognosis is told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from features.errors import UnknownAgent
from tests.quick_recipe import recipe, two_cohorts
from training.control_arm import as_if_given, control_arm_table
from training.fit import fit_contenders
from training.interaction import NoInteraction, arm_interaction


def drawn(n=600, effect=0.8, seed=2):
    random = np.random.default_rng(seed)
    arm, z = (random.random(n) < 0.5).astype(float), random.normal(0, 1, n)
    y = (random.random(n) < expit(-1 + 0.3 * arm + 0.2 * z + effect * arm * z)).astype(float)
    return y, arm, z


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_the_interaction_agrees_with_statsmodels(effect):
    import statsmodels.api as sm

    y, arm, z = drawn(effect=effect)
    ours = arm_interaction(y, arm, z)
    theirs = sm.Logit(y, np.column_stack([np.ones_like(z), arm, z, arm * z])).fit(disp=0, method="newton", tol=1e-12)
    assert [one.value for one in ours.coefficients.values()] == pytest.approx(theirs.params, abs=1e-8)
    assert [ours.interaction.low, ours.interaction.high] == pytest.approx(theirs.conf_int()[3], abs=1e-6)
    assert ours.p_value == pytest.approx(theirs.pvalues[3], abs=1e-8)


def test_no_maximum_is_undefined_and_unlike_lengths_are_refused():
    y, arm, z = drawn(40)
    assert np.isnan(arm_interaction(np.where(arm == 1, 0, y), arm, z).interaction.value)
    assert np.isnan(arm_interaction(y, arm, np.zeros(40)).interaction.value)
    with pytest.raises(NoInteraction):
        arm_interaction(y, arm, z[:-1])


def test_only_the_therapy_column_changes():
    batch = two_cohorts(60).batch()
    given = as_if_given(batch, "atezolizumab")
    assert set(given.texts["therapy"].texts()) == {"atezolizumab"}
    assert given.texts["histology"] is batch.texts["histology"]
    assert given.numbers is batch.numbers
    assert set(batch.texts["therapy"].texts()) != {"atezolizumab"}
    with pytest.raises(UnknownAgent):
        as_if_given(batch, "atezolizumumab")


def test_the_table_has_both_arms_and_every_predictor():
    pool = two_cohorts(160)
    one, other = (pool.take(np.flatnonzero(pool.source == name)) for name in np.unique(pool.source))
    contenders = fit_contenders(recipe("base_rate", "tmb_alone"), one)
    table = control_arm_table(contenders, one, other, "class:pd1_pdl1")
    assert [row["predictor"] for row in table.rows] == ["model", "base_rate", "tmb_alone"]
    row = table.rows[0]
    assert row["difference"].value == pytest.approx(row["treated"].value - row["control"].value)
    assert np.isfinite(row["interaction"].value)
    assert np.isnan(table.rows[1]["interaction"].value)
