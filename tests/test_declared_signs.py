"""The sign rule of the linear term: against a bounded optimiser, along the path, and for TMB beside its evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from experiments.settings_reader import WrongSetting, read_settings
from features.case import read_case
from features.from_cases import batch_of
from features.sources.published_arms import arms
from features.sources.synthetic import draw as draw_cohort
from features.table import FeatureTable
from models.evidence import EvidenceTerm
from models.inputs import logistic
from models.linear_fit import believed_penalties, fit_linear, live_columns
from models.response_fit import fit_response
from models.ridge_path import RidgePath
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.invented_models import HISTOLOGIES, InventedEvidence, InventedTable, draw

CASES = draw(400, seed=5)
TABLE = InventedTable(HISTOLOGIES)
MATRIX = TABLE.matrix(CASES.batch)
EVIDENCE = InventedEvidence().evaluate(CASES.batch).log_odds
ONES = np.ones(400)
KEPT = LinearSettings(signs=("histology", "tmb", "patient"), missing_penalty=1.0)
SIGNS = st.lists(st.sampled_from([-1, 0, 1]), min_size=len(TABLE.columns), max_size=len(TABLE.columns))


def signed(signs: list[int]) -> tuple[Any, ...]:
    return tuple(replace(column, expected_sign=sign) for column, sign in zip(TABLE.columns, signs, strict=True))


def fitted(columns: Any, evidence: Any = EVIDENCE, kept: LinearSettings = KEPT) -> Any:
    return fit_linear(MATRIX, columns, CASES.y, ONES, evidence, 3.0, kept)


AGAINST = signed([-1 if place % 2 else 1 for place in range(len(TABLE.columns))])


@settings(max_examples=20, deadline=None)
@given(SIGNS)
def test_it_is_the_largest_likelihood_of_the_declared_signs(signs: list[int]) -> None:
    """An optimiser with bounds, which knows nothing of active sets, finds no other place."""
    fit = fitted(signed(signs), evidence=None)
    x = np.column_stack([ONES, fit.term.standardised(MATRIX)])

    def loss(beta: Any) -> Any:
        z = x @ beta
        gradient = x.T @ (logistic(z) - CASES.y) + np.append(0.0, 3.0 * beta[1:])
        return float(np.sum(np.logaddexp(0, z) - CASES.y * z) + 1.5 * np.sum(beta[1:] ** 2)), gradient

    bounds = [(None, None), *[(0.0 if sign > 0 else None, 0.0 if sign < 0 else None) for sign in signs]]
    tight = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000}
    theirs = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds, options=tight)
    ours = np.append(fit.intercept, fit.term.coefficients)
    assert np.all(np.array(signs) * fit.term.coefficients >= 0)
    assert loss(ours)[0] <= theirs.fun + 1e-7
    np.testing.assert_allclose(ours, theirs.x, atol=2e-4)


@settings(max_examples=10, deadline=None)
@given(st.lists(SIGNS, min_size=2, max_size=2), st.sampled_from([None, "speaks", "against", "flat"]))
def test_a_path_gives_what_single_fits_give(signs: list[list[int]], which: str | None) -> None:
    """With columns that are the same but differ in sign, and from whatever the fit before held."""
    evidence = {None: None, "speaks": EVIDENCE, "against": -5 * (CASES.y + 0.1 * EVIDENCE), "flat": 0 * EVIDENCE}[which]
    matrix, columns = np.column_stack([MATRIX, MATRIX]), (*signed(signs[0]), *signed(signs[1]))
    path = RidgePath(matrix, columns, CASES.y, ONES, evidence)
    for penalty, kept in ((100.0, KEPT), (3.0, KEPT), (3.0, LinearSettings()), (3.0, KEPT)):
        quick, single = path.fit(penalty, kept), fit_linear(matrix, columns, CASES.y, ONES, evidence, penalty, kept)
        np.testing.assert_allclose(quick.term.coefficients, single.term.coefficients, atol=1e-6)
        assert quick.intercept == pytest.approx(single.intercept, abs=1e-6)
        assert quick.evidence_weight == pytest.approx(single.evidence_weight, abs=1e-6)


def test_without_the_setting_every_coefficient_is_free() -> None:
    free = fitted(AGAINST, kept=replace(KEPT, signs=()))
    unsigned = fitted(signed([0] * len(TABLE.columns)))
    assert np.array_equal(free.term.coefficients, unsigned.term.coefficients)
    assert np.count_nonzero(fitted(AGAINST).term.coefficients) < np.count_nonzero(free.term.coefficients)


def test_only_the_named_groups_keep_their_signs() -> None:
    fit = fitted(AGAINST, kept=replace(KEPT, signs=("tmb",)))
    lies = np.array([column.expected_sign for column in AGAINST]) * fit.term.coefficients < 0
    assert {column.group for column, one in zip(AGAINST, lies, strict=True) if one} == {"histology", "patient"}


def test_what_is_held_keeps_its_doubt() -> None:
    """The covariance is that of all columns at the fit: a coefficient held at 0 is not known to be 0."""
    fit = fitted(AGAINST, evidence=None)
    standardised = fit.term.standardised(MATRIX)
    live = live_columns(standardised)
    assert len(live) == MATRIX.shape[1]
    believed = believed_penalties(standardised, live, AGAINST, CASES.y, ONES, None, KEPT)
    x = np.column_stack([ONES, standardised])
    p = logistic(fit.value(MATRIX, None))
    hessian = (x.T * (p * (1 - p))) @ x + np.diag([0.0, *believed])
    root = fit.covariance_root[:-1, :-1]
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(hessian)[1:, 1:], atol=1e-10)


def test_a_refit_has_the_same_bits() -> None:
    one, two = fitted(AGAINST), fitted(AGAINST)
    assert np.array_equal(one.term.coefficients, two.term.coefficients)
    assert np.array_equal(one.covariance_root, two.covariance_root)
    first, second = (RidgePath(MATRIX, AGAINST, CASES.y, ONES, EVIDENCE).fit(3.0, KEPT) for _ in range(2))
    assert np.array_equal(first.term.coefficients, second.term.coefficients)


def test_a_group_that_does_not_exist_is_refused() -> None:
    with pytest.raises(WrongSetting, match="tbm"):
        read_settings(LinearSettings, {"signs": ["tbm"]})


SWEEPS = {
    "mut_per_mb": np.concatenate([np.arange(0.5, 20, 0.25), np.arange(20, 50.5)]).tolist(),
    "exome_nonsynonymous_count": list(range(10, 701, 5)),
}
NEVER_MORE = 0.005
"""Log-odds by which the sum may fall on its way up: a third of a hundredth of a probability at most."""


@pytest.fixture(scope="module")
def evidence() -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"])


@pytest.fixture(scope="module", params=["as drawn", "TMB lowers response"])
def model(request: pytest.FixtureRequest, evidence: EvidenceTerm) -> Any:
    """A small model of a synthetic cohort; of one, too, whose outcomes go against TMB."""
    drawn = draw_cohort("checkpoint", 500, 7)
    batch, y = drawn.batch(), np.array(drawn.response, dtype=np.float64)
    if request.param != "as drawn":
        tmb = np.nan_to_num(batch.numbers["tmb.mut_per_mb"], nan=5.0)
        y = (np.random.default_rng(3).random(len(y)) < logistic(2.0 - 1.5 * np.log2(1 + tmb) / 2)).astype(float)
    recipe = ResponseSettings(
        linear=LinearSettings(penalties=(3.0,), tuned_groups=(), signs=("tmb",)), boosted=BoostedSettings(on=False)
    )
    card = {"name": "checkpoint-response", "endpoint": "orr", "synthetic": True}
    # what the burden does in one tissue more or less than everywhere has no declared sign: experiments that keep signs
    # leave it out, and so does this one
    table = FeatureTable.for_family("checkpoint", ["mutational_burden_in_tissue"]).fit(batch)
    return fit_response(batch, y, drawn.patient_ids, table=table, evidence=evidence, settings=recipe, card=card).model


@pytest.mark.parametrize("histology", ["LUAD", "SKCM"])
@pytest.mark.parametrize("measure", sorted(SWEEPS))
def test_evidence_and_tmb_together_never_fall_with_tmb(model: Any, histology: str, measure: str) -> None:
    asked = {"histology": histology, "prior_lines": 0, "therapy": {"agents": ["pembrolizumab"]}}
    batch = batch_of([read_case({**asked, "tmb": {measure: value}}) for value in SWEEPS[measure]])
    spoken = [place for place, group in enumerate(model.feature_groups) if group in ("evidence", "tmb")]
    together = model.score(model.inputs(batch)).phi[:, spoken].sum(axis=1)
    assert (np.maximum.accumulate(together) - together).max() <= NEVER_MORE
