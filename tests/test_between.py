"""Variance between groups, what training cases leave of it, and the prior variance of coefficients."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.batch import Coded
from models.between import between_groups, group_folds
from models.calibration import AffineCalibration
from models.inputs import logistic
from models.interval import left
from models.prior_variance import FIGURE, prior_variances
from models.recalibration import shift_sd, update
from models.response_fit import fit_response
from models.settings import BoostedSettings, CalibrationSettings, IntervalSettings, LinearSettings, ResponseSettings
from tests.invented_models import InventedEvidence, InventedTable, draw

SETTINGS = ResponseSettings(linear=LinearSettings(penalties=(10.0,)), boosted=BoostedSettings(on=False))
CARD = {"name": "invented-response", "endpoint": "orr", "synthetic": True}


def groups_with(sd: float, groups: int = 60, cases: int = 60, seed: int = 3):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), cases)
    z = rng.normal(-1.0, 0.8, groups * cases)
    y = (rng.random(len(z)) < logistic(z + 0.4 + rng.normal(0, sd, groups)[group])).astype(np.float64)
    return z, y, np.ones(len(z)), group


@pytest.mark.parametrize("sd", [0.3, 0.6, 1.0])
def test_the_variance_that_was_drawn_is_found(sd):
    found = between_groups(*groups_with(sd), figure=0.25, figure_counts=1.0)
    assert found.variance**0.5 == pytest.approx(sd, rel=0.25)
    assert found.level == pytest.approx(0.4, abs=0.3)


def test_few_groups_lean_on_the_figure_and_many_on_the_cases():
    few, many = (
        between_groups(*groups_with(0.0, groups), figure=0.5, figure_counts=5.0).variance for groups in (2, 100)
    )
    assert many < 0.1 < few < 0.5


@given(st.permutations(range(12)))
def test_names_and_order_of_groups_do_not_matter(order):
    z, y, weight, group = groups_with(0.5, groups=12, cases=10)
    renamed = np.array(order)[group]
    shuffled = np.argsort(renamed, kind="stable")
    one = between_groups(z, y, weight, group, 0.3, 2.0)
    two = between_groups(z[shuffled], y[shuffled], weight, renamed[shuffled], 0.3, 2.0)
    assert two.variance == pytest.approx(one.variance, rel=1e-3)


@given(st.lists(st.integers(-1, 9), min_size=1, max_size=60))
def test_no_group_is_split_over_folds(group):
    fold = group_folds(np.array(group), folds=4)
    for one in set(group):
        assert len(set(fold[np.array(group) == one].tolist())) == 1
    assert set(fold[np.array(group) == -1].tolist()) <= {-1}
    assert fold.max() < 4


@given(
    st.floats(0, 3),
    st.lists(st.floats(0, 5000), min_size=1, max_size=4),
    st.floats(0.001, 0.25),
    st.floats(0, 5000),
)
def test_cases_at_any_level_never_add_variance(variance, cases, information, more):
    before = left(np.array([variance]), np.array([[*cases, np.nan]]), np.array([information]))[0]
    after = left(np.array([variance]), np.array([[cases[0] + more, *cases[1:], np.nan]]), np.array([information]))[0]
    assert 0 <= after <= before + 1e-12 <= variance + 2e-12


def test_a_child_of_a_known_level_is_half_new():
    both = left(np.array([1.0, 1.0]), np.array([[0.0, 1e9], [0.0, 0.0]]), np.array([0.2, 0.2]))
    assert both.tolist() == pytest.approx([0.5, 1.0])


def test_groups_of_strong_features_have_the_larger_prior_variance():
    rng = np.random.default_rng(5)
    design = np.column_stack([rng.normal(size=(3000, 12)), np.zeros(3000)])
    y = (rng.random(3000) < logistic(design[:, :6] @ rng.normal(0, 0.6, 6))).astype(np.float64)
    group = np.repeat([0, 1], 6)
    found = prior_variances(design, y, np.ones(3000), group, np.ones(12), 3)
    assert found[0] > 5 * FIGURE > FIGURE > found[1]
    assert found[2] == FIGURE, "a group without a column keeps the figure"


# --- in the fit ---------------------------------------------------------------------------------------------------


def fitted(sites=None, cases=None, interval=None):
    held = draw(900, seed=21) if cases is None else cases
    settings = dataclasses.replace(SETTINGS, interval=interval or IntervalSettings())
    return fit_response(
        held.batch,
        held.y,
        held.groups,
        table=InventedTable.of(held.batch),
        evidence=InventedEvidence(),
        settings=settings,
        card=CARD,
        sites=sites,
    ).model


def test_sites_that_differ_widen_the_interval_and_free_the_local_update():
    held = draw(1200, seed=21)
    site = np.arange(1200) % 6
    shift = np.array([-1.2, -0.6, 0.0, 0.0, 0.7, 1.3])[site]
    rng = np.random.default_rng(8)
    apart = dataclasses.replace(
        held, y=(rng.random(1200) < logistic(np.log(held.truth / (1 - held.truth)) + shift)) * 1.0
    )
    names = [f"hospital {k}" for k in site]
    alike, different = fitted(names, held), fitted(names, apart)
    assert different.calibration.between_sites > 3 * alike.calibration.between_sites > 0
    assert shift_sd(different.calibration) > shift_sd(alike.calibration)
    assert different.card["fit"]["between"]["site"]["groups"] == 6
    assert fitted(None, held).calibration.between_sites == 0.0


def test_one_site_has_the_figure():
    model = fitted(["one hospital"] * 900)
    assert model.calibration.between_sites == pytest.approx(IntervalSettings().site_sd ** 2)


def test_local_outcomes_take_the_place_of_the_variance_between_sites():
    before = AffineCalibration(1.0, 0.0, ((0.0, 0.0), (0.0, 0.001)), "affine", 900, 300, between_sites=0.2)
    z, y = np.full(400, -1.0), np.tile([1.0, 0.0, 0.0, 0.0], 100)
    after = update(before, z, y, CalibrationSettings(method="intercept")).after
    assert after.between_sites == 0.0
    assert after.variance(z)[0] < 0.2 * before.variance(z)[0]
    stubborn = update(dataclasses.replace(before, between_sites=0.001), z, y, CalibrationSettings(method="intercept"))
    assert 0 < abs(stubborn.after.b) < abs(after.b)


def test_a_histology_that_training_never_saw_is_less_sure():
    held = draw(900, seed=21)
    model = fitted(cases=held)
    unseen = Coded(np.zeros(held.batch.n, dtype=np.int64), ("PRAD",))
    moved = dataclasses.replace(held.batch, texts={**held.batch.texts, "histology": unseen})
    known = held.batch.texts["histology"].codes == 0
    assert np.median(model.answers(moved).scores.sd[known]) > 1.3 * np.median(
        model.answers(held.batch).scores.sd[known]
    )


def test_a_fit_says_what_it_found_between_groups():
    found = fitted().card["fit"]["between"]
    assert set(found) == {"histology", "setting"}
    assert found["histology"]["groups"] == 13
    assert found["histology"]["sd"] > 0


def test_one_class_of_therapy_leaves_nothing_between_settings_beyond_histologies():
    """Where a histology is one setting, leaving the setting out is leaving the histology out: it counts once."""
    held = draw(900, seed=21)
    one_class = Coded(np.zeros(held.batch.n, dtype=np.int64), ("pembrolizumab",))
    alone = dataclasses.replace(held.batch, texts={**held.batch.texts, "therapy": one_class})
    found = fitted(cases=dataclasses.replace(held, batch=alone)).interval
    assert found.between_histologies > 0.0
    assert found.between_settings == pytest.approx(0.0, abs=1e-9)
