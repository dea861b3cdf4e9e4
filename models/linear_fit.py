"""Fitting the linear term: ridge logistic regression with evidence(case) as one practically unpenalised column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.declared_signs import declared_signs
from models.linear import LinearTerm
from models.prior_variance import prior_variances
from models.ridge import fit_ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.inputs import BoolArray, FloatArray, IntArray
    from models.settings import LinearSettings

FLAG_SCALE = 0.5
"""A flag's difference from its mean is divided by this: half a unit is the standard deviation of an even flag, and
so a flag and a number have priors of the same size (Gelman 2008, doi:10.1002/sim.3107)."""

EVIDENCE_SCALE = 100.0
"""The standardised evidence column is multiplied by this, so the ridge penalty on its weight is divided by 10,000:
a penalty of 1,000 becomes 0.1, against an information of about 200 from 1,000 cases."""

NO_SPREAD = 1e-9
"""Standard deviation in log-odds below which evidence did not vary in training and its weight cannot be learned."""

UNLEARNED_WEIGHT_SD = 0.5
"""Standard deviation of the weight of evidence around 1 where training could not teach it: with 95%, between none
and twice of what the trials say carries over."""

MISSING = "__missing"
"""How the name of a missing indicator ends (:data:`features.table.MISSING_SUFFIX`)."""

VARIED = 1e-9
"""Largest scaled value below which a column did not vary in training."""


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted linear term, the weight of evidence, and how sure both are.

    Attributes
    ----------
    intercept
        The z of a case with every column at its centre and evidence 0.
    evidence_weight
        The learned w; 1 when evidence did not vary in training, 0 when it pointed the wrong way.
    covariance_root
        Shape (p + 1, r): R with R R' the covariance of (coefficients, w), intercept profiled out. The covariance
        is the inverse penalised Hessian under the prior variance that the cases themselves say of each group of
        features (:mod:`models.prior_variance`): the posterior, which covers across cases because it holds the bias of
        shrinkage as well (Nychka 1988; Marra & Wood 2012, doi:10.1111/j.1467-9469.2011.00760.x); a sandwich leaves
        that bias out.
    """

    term: LinearTerm
    intercept: float
    evidence_weight: float
    covariance_root: FloatArray

    def value(self, matrix: FloatArray, evidence: FloatArray | None) -> FloatArray:
        """Return w * evidence + linear, shape (n,)."""
        z = self.intercept + self.term.contributions(matrix).sum(axis=1)
        return np.asarray(z if evidence is None else z + self.evidence_weight * evidence, dtype=np.float64)


def fit_linear(
    matrix: FloatArray,
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    penalty: float,
    settings: LinearSettings,
) -> LinearFit:
    """Fit ridge logistic regression; a case of weight 2 counts as two cases.

    Parameters
    ----------
    matrix
        Shape (n, p), NaN is unknown.
    columns
        Contract of the p columns: flags are scaled by 0.5, numbers by their standard deviation.
    y
        Shape (n,): 0 or 1, or a rate between them (responders of n, with ``weight`` n).
    weight
        Shape (n,): how many cases each row stands for.
    evidence
        Shape (n,): log-odds from published arms, or None.
    penalty
        Inverse prior variance of a scaled coefficient.
    settings
        For the factors by group.

    Notes
    -----
    A negative weight of evidence would turn published arms into evidence for their opposite; it is refitted without
    the column and the weight is 0. The sign rule is a prior, stated here and shown in the card. The coefficients of the
    groups in ``settings.signs`` keep their declared signs alike (:mod:`models.declared_signs`); one that is held at 0
    keeps its share of the covariance.
    """
    empty = scaling(matrix, columns, weight, penalty)
    standardised = empty.standardised(matrix)
    live = live_columns(standardised)
    design = standardised[:, live]
    penalties = factors_of(columns, settings) * penalty
    believed = believed_penalties(design, live, columns, y, weight, evidence, settings)
    both = np.stack([penalties[live], believed[live]]) * alike(design)
    signs = declared_signs(columns, settings)[live]
    beta, root, found = _with_evidence(design, y, weight, evidence, both, penalty, signs)
    coefficients = np.zeros(len(columns))
    coefficients[live] = beta[1:]
    never = np.flatnonzero(_never_positive(matrix, columns))
    whole = np.zeros((len(columns) + 1, root.shape[1] + len(never)))
    whole[np.append(live, len(columns)), : root.shape[1]] = root
    whole[never, root.shape[1] + np.arange(len(never))] = 1.0 / np.sqrt(believed[never])
    mean = 0.0 if evidence is None else float(np.average(evidence, weights=weight))
    return LinearFit(replace(empty, coefficients=coefficients), float(beta[0]) - found * mean, found, whole)


def believed_penalties(
    design: FloatArray,
    live: IntArray,
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    settings: LinearSettings,
) -> FloatArray:
    """Return the penalties under which the covariance is worked out, shape (p,), by group of features."""
    pools = [column.group for column in columns]
    found = pooled_variances(design, live, pools, columns, y, weight, evidence, settings)
    return np.asarray(_of_indicators(columns, settings) / np.array([found[pool] for pool in pools]), dtype=np.float64)


def pooled_variances(
    design: FloatArray,
    live: IntArray,
    pools: Sequence[str],
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    settings: LinearSettings,
) -> dict[str, float]:
    """Return the prior variance of the coefficients of each pool of columns, as the training cases say.

    Parameters
    ----------
    design
        Shape (n, k): the live columns, scaled.
    live
        Shape (k,): their places in ``columns``.
    pools
        Shape (p,): name of each column's pool.
    """
    numbers = {name: place for place, name in enumerate(sorted(set(pools)))}
    group = np.array([numbers[pool] for pool in pools], dtype=np.int64)
    factor = _of_indicators(columns, settings)[live] * alike(design)
    from_mean = np.zeros(len(y)) if evidence is None else evidence - np.average(evidence, weights=weight)
    varied = np.column_stack([design, from_mean])
    found = prior_variances(varied, y, weight, group[live], factor, len(numbers))
    return dict(zip(numbers, found.tolist(), strict=True))


def _of_indicators(columns: Sequence[Column], settings: LinearSettings) -> FloatArray:
    return np.where(missing_indicators(columns), settings.missing_penalty, 1.0)


def factors_of(columns: Sequence[Column], settings: LinearSettings) -> FloatArray:
    """Return the factor on the penalty of each column: its own, its feature's or group's, and missing indicators'.

    Examples
    --------
    >>> from features.contract import Column
    >>> from models.settings import LinearSettings
    >>> settings = LinearSettings(group_penalty={"patient": 0.5}, missing_penalty=10.0)
    >>> factors_of([Column("ecog", "ecog", "patient"), Column("ecog__missing", "ecog", "patient")], settings).tolist()
    [0.5, 5.0]
    """
    given = settings.group_penalty
    of_group = np.array(
        [given.get(c.name, given.get(c.feature, given.get(c.group, 1.0))) for c in columns], dtype=np.float64
    )
    return np.asarray(_of_indicators(columns, settings) * of_group)


def missing_indicators(columns: Sequence[Column]) -> BoolArray:
    """Return which columns say that an input is unknown."""
    return np.array([column.name.endswith(MISSING) for column in columns], dtype=np.bool_)


def live_columns(standardised: FloatArray) -> IntArray:
    """Return the places of the columns that varied in training."""
    return np.flatnonzero(np.abs(standardised).max(axis=0, initial=0.0) > VARIED)


def alike(design: FloatArray) -> FloatArray:
    """Return how many columns are the same as each one, itself included, shape (k,).

    Columns that are the same in all training cases (the missing indicators of one assay) share one prior: each is
    penalised as many times as there are of them, so that together they may do what one of them may.

    Examples
    --------
    >>> alike(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])).tolist()
    [2.0, 1.0, 2.0]
    """
    contents = [column.tobytes() for column in np.ascontiguousarray(design.T)]
    counts = Counter(contents)
    return np.array([counts[content] for content in contents], dtype=np.float64)


def _never_positive(matrix: FloatArray, columns: Sequence[Column]) -> BoolArray:
    """Return the flags that were known in training and never raised: they keep their prior variance.

    A column of which nothing was known in training is no part of the model: knowing it changes neither the estimate
    nor the interval.
    """
    flags = np.array([c.unit == "flag" for c in columns], dtype=np.bool_) & ~missing_indicators(columns)
    known = ~np.isnan(matrix)
    return np.asarray(flags & known.any(axis=0) & ~np.any(known & (matrix != 0), axis=0), dtype=np.bool_)


def scaling(matrix: FloatArray, columns: Sequence[Column], weight: FloatArray, penalty: float) -> LinearTerm:
    """Return a term without coefficients: the centre and scale of each column."""
    known = ~np.isnan(matrix)
    total = np.maximum(weight @ known, np.finfo(np.float64).tiny)
    centre = (weight @ np.where(known, matrix, 0.0)) / total
    variance = (weight @ np.where(known, (matrix - centre) ** 2, 0.0)) / total
    spread = np.sqrt(variance)
    flags = np.array([column.unit == "flag" for column in columns], dtype=np.bool_)
    scale = np.where(flags, FLAG_SCALE, np.where(spread > NO_SPREAD, spread, 1.0))
    return LinearTerm(centre, scale, np.zeros(matrix.shape[1]), penalty)


def _with_evidence(
    design: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    evidence: FloatArray | None,
    penalties: FloatArray,
    penalty: float,
    signs: IntArray,
) -> tuple[FloatArray, FloatArray, float]:
    """Return (intercept at mean evidence, coefficients), root of the covariance of (coefficients, w), and w.

    ``penalties`` has shape (2, k): those of the fit, and those of the covariance.
    """
    if evidence is None:
        return _fixed_weight(design, y, weight, penalties, signs, 0.0, 0.0)
    mean = float(np.average(evidence, weights=weight))
    spread = float(np.sqrt(np.average((evidence - mean) ** 2, weights=weight)))
    if spread < NO_SPREAD:
        return _fixed_weight(design, y, weight, penalties, signs, 1.0, UNLEARNED_WEIGHT_SD)
    per_unit = EVIDENCE_SCALE / spread
    fitted, believed = np.column_stack([penalties, [penalty, penalty]])
    varied = np.column_stack([design, (evidence - mean) * per_unit])
    beta, root = fit_ridge(varied, y, weight, fitted, believed, np.append(signs, 0))
    if beta[-1] < 0:
        return _fixed_weight(design, y, weight, penalties, signs, 0.0, 0.0)
    root[-1] *= per_unit
    return beta[:-1], root, float(beta[-1] * per_unit)


def _fixed_weight(
    design: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    penalties: FloatArray,
    signs: IntArray,
    found: float,
    sd: float,
) -> tuple[FloatArray, FloatArray, float]:
    """Return a fit whose weight of evidence was not learned, its uncertainty in a row of its own."""
    fitted, believed = penalties
    beta, root = fit_ridge(design, y, weight, fitted, believed, signs)
    k = penalties.shape[1]
    wider = np.zeros((k + 1, k + 1))
    wider[:k, :k] = root
    wider[k, k] = sd
    return beta, wider, found
