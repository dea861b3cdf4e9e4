"""How well probabilities of response rank and fit: AUROC, average precision, Brier score, log loss.

Every function takes outcomes (0 or 1), one prediction per case and optional weights. Weights may have leading axes,
shape (resamples, n): the result then has shape (resamples,), which is how :mod:`models.bootstrap` draws 2,000 resamples
in one pass. A case of weight 2 counts exactly as two equal cases; cases of weight 0 do not count.

Degenerate input has one documented result, never a guess:

=========================  ======================================================================
input                      result
=========================  ======================================================================
one class only             AUROC, average precision without responders, Brier skill: NaN
constant prediction        AUROC 0.5, average precision = base rate
probability 0 or 1         log loss: infinite when the other outcome happened, else 0 for that case
no case (or weight 0)      NaN everywhere
NaN, wrong length, ...     :class:`InvalidPrediction`
=========================  ======================================================================

:func:`models.undefined.why_undefined` says in words why a metric is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.errors import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FloatArray = NDArray[np.float64]


class InvalidPrediction(Refusal):
    """Outcomes, predictions or weights that cannot be judged: another length, NaN, an outcome that is not 0 or 1."""

    code = "invalid_prediction"


@dataclass(frozen=True)
class Judged:
    """Outcomes, predictions and weights after checking: float64, one length, weights shape (..., n)."""

    outcome: FloatArray
    prediction: FloatArray
    weight: FloatArray

    @property
    def total(self) -> FloatArray:
        """Sum of weights, shape (...)."""
        return np.asarray(self.weight.sum(axis=-1))

    @property
    def events(self) -> FloatArray:
        """Weight of the responders, shape (...)."""
        return np.asarray(self.weight @ self.outcome)


def checked(
    outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None, *, probability: bool = False
) -> Judged:
    """Check the input of a metric and return it as float64.

    Raises
    ------
    InvalidPrediction
        When lengths differ, an outcome is neither 0 nor 1, a prediction is NaN (or outside 0 to 1 where a probability
        is asked for), or a weight is negative or not finite.
    """
    y, p = np.asarray(outcome, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    w = np.ones_like(y) if weight is None else np.asarray(weight, dtype=np.float64)
    if y.ndim != 1 or p.shape != y.shape or w.shape[-1:] != y.shape:
        raise InvalidPrediction(
            f"outcomes {y.shape}, predictions {p.shape} and weights {w.shape} do not belong together"
        )
    _refuse_any(~np.isin(y, (0.0, 1.0)), "outcome", "is neither 0 nor 1", "Leave cases without an outcome out.")
    _refuse_any(np.isnan(p), "prediction", "is not a number", "Judge only the cases that have a prediction.")
    if probability:
        _refuse_any((p < 0) | (p > 1), "prediction", "is outside 0 to 1", "Scores that are no probabilities only rank.")
    _refuse_any(~(np.isfinite(w) & (w >= 0)), "weight", "is negative or not finite", None)
    return Judged(y, p, w)


def _refuse_any(wrong: NDArray[np.bool_], field: str, message: str, way_out: str | None) -> None:
    count = int(wrong.sum())
    if count:
        first = int(np.flatnonzero(wrong.any(axis=tuple(range(wrong.ndim - 1))))[0])
        raise InvalidPrediction(f"{message} ({count} in all)", field=field, record=f"position {first}", way_out=way_out)


def _ratio(above: Any, below: Any) -> Any:
    """Divide; NaN where the denominator is 0. A float for one set of weights, an array for several."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    found = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return float(found) if found.ndim == 0 else found


def _tied_sums(weights: FloatArray, prediction: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    """Sum weights over groups of equal predictions, groups in the given order of cases."""
    ordered = prediction[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return np.asarray(np.add.reduceat(weights[..., order], starts, axis=-1))


def auroc(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the area under the ROC curve: the chance that a responder is ranked above a non-responder, ties half.

    Parameters
    ----------
    outcome, prediction
        Shape (n,). The prediction may be any score.
    weight
        Shape (n,) or (resamples, n).

    Returns
    -------
    float or array of shape (resamples,)
        NaN when there is only one class.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    data = checked(outcome, prediction, weight)
    if data.outcome.size == 0:
        return _ratio(0.0 * data.total, data.total)
    order = np.argsort(data.prediction, kind="stable")
    responders = _tied_sums(data.weight * data.outcome, data.prediction, order)
    others = _tied_sums(data.weight * (1 - data.outcome), data.prediction, order)
    below = np.cumsum(others, axis=-1) - others
    wins = np.sum(responders * (below + 0.5 * others), axis=-1)
    return _ratio(wins, data.events * (data.total - data.events))


def auroc_within(outcome: ArrayLike, prediction: ArrayLike, groups: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the AUROC over pairs of the same group (histology): what is ranked beyond what the group tells.

    Groups weigh by their number of pairs; NaN when no group has both classes.

    Parameters
    ----------
    groups
        Shape (n,): the group of each case.

    Examples
    --------
    >>> auroc_within([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.7], ["a", "a", "b", "b"])
    0.5
    """
    data, levels = checked(outcome, prediction, weight), np.asarray(groups)
    wins, pairs = 0.0 * data.total, 0.0 * data.total
    for level in np.unique(levels):
        held = levels == level
        w = data.weight[..., held]
        events = w @ data.outcome[held]
        count = events * (w.sum(axis=-1) - events)
        area = np.asarray(auroc(data.outcome[held], data.prediction[held], w))
        wins, pairs = wins + np.where(count > 0, np.nan_to_num(area) * count, 0.0), pairs + count
    return _ratio(wins, pairs)


def auprc(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the average precision: precision averaged over the recall gained at each distinct score.

    No interpolation (it would be optimistic; Davis and Goadrich, ICML 2006, doi:10.1145/1143844.1143874).

    Examples
    --------
    >>> round(auprc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.833333
    """
    data = checked(outcome, prediction, weight)
    if data.outcome.size == 0:
        return _ratio(0.0 * data.total, data.total)
    order = np.argsort(-data.prediction, kind="stable")
    responders = _tied_sums(data.weight * data.outcome, data.prediction, order)
    everyone = _tied_sums(data.weight, data.prediction, order)
    called = np.cumsum(everyone, axis=-1)
    precision = np.divide(np.cumsum(responders, axis=-1), called, out=np.zeros_like(called), where=called > 0)
    return _ratio(np.sum(precision * responders, axis=-1), data.events)


def brier(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the mean squared difference of probability and outcome; 0 is perfect.

    Examples
    --------
    >>> round(brier([0, 1], [0.2, 0.6]), 12)
    0.1
    """
    data = checked(outcome, prediction, weight, probability=True)
    return _ratio(data.weight @ (data.prediction - data.outcome) ** 2, data.total)


def brier_skill(
    outcome: ArrayLike,
    prediction: ArrayLike,
    weight: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> Any:
    """Return 1 - Brier / Brier of a reference: above 0 is better than the reference, 1 is perfect.

    Parameters
    ----------
    reference
        Probabilities to beat, shape (n,); without them the base rate of the cases at hand (of each resample).

    Examples
    --------
    >>> round(brier_skill([0, 1, 0, 1], [0.2, 0.6, 0.2, 0.6]), 3)
    0.6
    """
    data = checked(outcome, prediction, weight, probability=True)
    rate = np.asarray(_ratio(data.events, data.total))
    if reference is None:
        known = np.asarray(rate * (1 - rate))
    else:
        known = np.asarray(brier(data.outcome, reference, data.weight))
    return _ratio(known - np.asarray(brier(data.outcome, data.prediction, data.weight)), known)


def log_loss(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the mean negative log likelihood in nats; infinite when something called impossible happened.

    Nothing is clipped: a probability of 0 for a patient who responded costs infinitely much.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.2, 0.6]), 6)
    0.366985
    """
    data = checked(outcome, prediction, weight, probability=True)
    called = np.where(data.outcome == 1, data.prediction, 1 - data.prediction)
    with np.errstate(divide="ignore"):
        loss = -np.log(called)
    impossible = np.isinf(loss)
    total = data.weight @ np.where(impossible, 0.0, loss)
    struck = (data.weight @ impossible.astype(np.float64)) > 0
    return _ratio(np.where(struck, np.inf, total), data.total)


def base_rate(outcome: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the weighted share of responders, NaN without cases.

    Examples
    --------
    >>> base_rate([0, 1, 0, 1])
    0.5
    """
    y = np.asarray(outcome, dtype=np.float64)
    data = checked(y, np.zeros_like(y), weight)
    return _ratio(data.events, data.total)
