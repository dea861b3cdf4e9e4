"""Prior variances by marginal likelihood, and idle columns at exactly nothing: setting ``prior: selected``.

Most of what is recorded of a tumour does nothing to the outcome, and forty small coefficients that should be none give
every case a contribution of its own that means nothing. Here a column of markers, burden, earlier therapy or patient is
in the sum only where the training cases are likelier with it than without (:mod:`models.idle_columns`); the others are
held at exactly 0, and an explanation names fewer things. How far those that are in may stray is found as ``prior:
marginal`` finds it. Columns of histology and therapy stay in whatever they say: they are nested levels that share an
effect out between them, and to leave one out would hand its share to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.idle_columns import Quadratic, columns_kept
from models.inputs import logistic
from models.linear_fit import MISSING, missing_indicators
from models.linear_prior import MARGINAL_PENALTY, Varied
from models.prior_variance import FIGURE, FIGURE_COUNTS, LOOSE, NEWTON_STEPS, STEPS, TAILS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.inputs import BoolArray, FloatArray, IntArray
    from models.settings import LinearSettings

WITHIN = "__in_"
"""What the name of a marker's column within a tissue holds (:data:`features.in_tissue.IN`)."""

ALL_STAY = ("histology", "therapy")
"""Groups whose columns are nested levels."""

EVEN = ("therapy_in_histology",)
"""Features whose prior has no heavy tails: what a class does in one histology beside another class there is shared out
evenly between the two; heavy tails would give all of it to one."""

HOW_MEASURED = ("mmr_conflict", "findings_from_blood", "specimens_disagree")
"""Features that say how a tumour was measured, as missing indicators do, and not what it is."""

SHADOWS = {"passengers_log1p": "tmb_mut_per_mb", "clonal_haematopoiesis_log1p": "age_years"}
"""Counts that follow another feature: passengers the mutational burden, the blood cells' own mutations the age. At even
odds the count of passengers took part of the burden's effect, and an explanation gave to alterations what is the
burden's. Where the burden is often unknown its shadow tells of it, and is judged as any other column."""

SHADOWED = 0.9
"""Share of training cases that know a feature, from which its shadow tells nothing new of it (declared)."""

ODDS, ODDS_RARE = 1.5, 1.0 / 9.0
"""Prior odds that a column is not idle: three to two, so that few cases, which say nothing either way, leave all in
and shrink them (with even odds the mean error on 1,000 synthetic cases was 0.0755 in place of 0.0721). One in ten for a
marker within a tissue, since an effect that differs by tissue is rarer than an effect, for how it was measured and for
shadows."""

ROUNDS = 2
"""Times that columns are chosen, the second with the variances found for those of the first."""


@dataclass(frozen=True, eq=False)
class Selected:
    """What is fitted on once the idle columns are known.

    Attributes
    ----------
    matrix
        Shape (n, p), idle columns NaN in all cases: nothing of them is known in training, so their coefficients are
        exactly 0, and whether a case knows them changes no estimate.
    in_doubt
        Shape (n, p), for the covariance: an idle column of even odds may be none or small, and the interval holds that.
        Those of long odds are NaN here too.
    settings
        With the factor of the penalty of every column that is in, by its name.
    """

    matrix: FloatArray
    in_doubt: FloatArray
    settings: LinearSettings


@dataclass(frozen=True, eq=False)
class _Found:
    """Prior variances by pool and by column, coefficients with intercept and evidence at the ends."""

    of_pool: FloatArray
    own: FloatArray
    beta: FloatArray


@dataclass(frozen=True, eq=False)
class _Cases:
    """What is fitted: the scaled design with 1 in front and evidence behind, outcomes, and each column's prior."""

    whole: FloatArray
    y: FloatArray
    weight: FloatArray
    pool: IntArray
    pools: int
    heavy: BoolArray
    factor: FloatArray

    def only(self, kept: BoolArray) -> _Cases:
        """Return the cases with some of the columns."""
        whole = self.whole[:, _with_ends(kept, True)]
        return replace(
            self, whole=whole, pool=self.pool[kept], heavy=self.heavy[kept], factor=self.factor[kept]
        )  # fmt: skip

    def quadratic(self, found: _Found, variance: FloatArray) -> Quadratic:
        """Return the log-likelihood around a fit."""
        p = logistic(self.whole @ found.beta)
        curved = (self.whole.T * (self.weight * p * (1 - p))) @ self.whole
        pull = self.whole.T @ (self.weight * (self.y - p)) + curved @ found.beta
        return Quadratic(curved, pull, np.concatenate([[LOOSE], self.factor / variance, [LOOSE]]))


def selected(
    matrix: FloatArray,
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    settings: LinearSettings,
) -> Selected:
    """Return what is fitted in place of the matrix and the settings.

    Examples
    --------
    >>> from features.contract import Column
    >>> from models.settings import LinearSettings
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(3000, 2))
    >>> y = (rng.random(3000) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    >>> columns = [Column("nlr", "nlr", "patient", "1"), Column("tmb", "tmb", "tmb", "1")]
    >>> found = selected(x, columns, y, np.ones(3000), None, LinearSettings(prior="selected"))
    >>> np.isnan(found.matrix).all(axis=0).tolist(), np.isnan(found.in_doubt).all(axis=0).tolist()
    ([False, True], [False, False])
    """
    varied = Varied.of(matrix, columns, weight, evidence, settings)
    live = varied.place
    here = [columns[place] for place in live.tolist()]
    cases = _cases(varied, here, y, weight)
    stay = np.array([column.group in ALL_STAY for column in here], dtype=np.bool_)
    unlikely = {*HOW_MEASURED, *_shadows(matrix, columns, weight)}
    rare = np.array([WITHIN in column.name or column.feature in unlikely for column in here], dtype=np.bool_)
    odds = np.where(rare | missing_indicators(here), ODDS_RARE, ODDS)
    kept, found = _chosen(cases, ~stay, np.log(odds))
    without, in_doubt = matrix.copy(), matrix.copy()
    without[:, live[~kept]] = np.nan
    in_doubt[:, live[~kept & (odds < 1.0)]] = np.nan
    factors = {column.name: 1.0 / (MARGINAL_PENALTY * own) for column, own in zip(here, found.own, strict=True)}
    return Selected(without, in_doubt, replace(settings, group_penalty=factors))


def _shadows(matrix: FloatArray, columns: Sequence[Column], weight: FloatArray) -> set[str]:
    """Return the features that follow another one which these cases know."""
    place = {column.feature: at for at, column in enumerate(columns) if not column.name.endswith(MISSING)}
    known = {shadow: ~np.isnan(matrix[:, place[of]]) for shadow, of in SHADOWS.items() if of in place}
    return {shadow for shadow, told in known.items() if np.average(told, weights=weight) >= SHADOWED}


def _cases(varied: Varied, columns: Sequence[Column], y: FloatArray, weight: FloatArray) -> _Cases:
    names = [pool_of(column) for column in columns]
    numbers = {name: place for place, name in enumerate(sorted(set(names)))}
    return _Cases(
        whole=np.column_stack([np.ones(len(y)), varied.design, varied.evidence]),
        y=y,
        weight=weight,
        pool=np.array([numbers[name] for name in names], dtype=np.int64),
        pools=len(numbers),
        heavy=np.array([column.feature not in EVEN for column in columns], dtype=np.bool_),
        factor=varied.factor,
    )


def pool_of(column: Column) -> str:
    """Return the name of the columns that share one prior variance with a column.

    Examples
    --------
    >>> from features.contract import Column
    >>> pool_of(Column("tp53__in_LUNG", "tp53", "alterations")), pool_of(Column("tp53", "tp53", "alterations"))
    ('alterations within a tissue', 'alterations')
    """
    if column.feature in EVEN:
        return column.feature
    return f"{column.group} within a tissue" if WITHIN in column.name else column.group


def _chosen(cases: _Cases, may_leave: BoolArray, log_odds: FloatArray) -> tuple[BoolArray, _Found]:
    """Return which columns are in, and the prior variances found with them alone."""
    kept, found = np.ones(len(cases.pool), dtype=np.bool_), _found(cases)
    for turn in range(ROUNDS):
        of_pool = found.of_pool if turn else np.maximum(found.of_pool, FIGURE)  # idle ones have made it small
        form = cases.quadratic(found, np.where(may_leave, of_pool[cases.pool], found.own))
        may, odds = _with_ends(may_leave, False), np.concatenate([[0.0], log_odds, [0.0]])
        kept = columns_kept(form, may, odds, _with_ends(kept, True))[1:-1]
        inner = _found(cases.only(kept))
        own, beta = inner.of_pool[cases.pool], np.zeros(len(kept) + 2)
        own[kept] = inner.own
        beta[_with_ends(kept, True)] = inner.beta
        found = _Found(inner.of_pool, own, beta)
    return kept, found


def _with_ends(columns: BoolArray, end: bool) -> BoolArray:
    """Return flags of the columns with those of the intercept and of evidence around them."""
    return np.concatenate([[end], columns, [end]])


def _found(cases: _Cases) -> _Found:
    """Return the variances of the largest marginal likelihood, by EM as in :mod:`models.prior_variance`."""
    counts = np.bincount(cases.pool, minlength=cases.pools).astype(np.float64)
    of_pool, beta, stretch = np.full(cases.pools, FIGURE), np.zeros(cases.whole.shape[1]), np.ones(len(cases.pool))
    for _ in range(STEPS):
        ridge = np.concatenate([[LOOSE], cases.factor / (stretch * of_pool[cases.pool]), [LOOSE]])
        for _ in range(NEWTON_STEPS):
            p = logistic(cases.whole @ beta)
            curved = (cases.whole.T * (cases.weight * p * (1 - p))) @ cases.whole
            curved[np.diag_indices_from(curved)] += ridge
            gradient = cases.whole.T @ (cases.weight * (cases.y - p)) - ridge * beta
            beta = beta + np.clip(np.linalg.solve(curved, gradient), -1.0, 1.0)
        squares = cases.factor * (beta[1:-1] ** 2 + np.diag(np.linalg.inv(curved))[1:-1])
        stretch = np.where(cases.heavy, (TAILS + squares / of_pool[cases.pool]) / (TAILS + 1.0), 1.0)
        total = np.bincount(cases.pool, squares / stretch, cases.pools)
        of_pool = (FIGURE_COUNTS * FIGURE + total) / (FIGURE_COUNTS + counts)
    return _Found(of_pool, stretch * of_pool[cases.pool], beta)
