"""Fitting the boosted term: few leaves, strong leaves, monotone where biology has a sign, the same bits each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.boosted import centred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.boosted import BoostedTerm
    from models.inputs import FloatArray, IntArray
    from models.settings import BoostedSettings


@dataclass(frozen=True)
class Preset:
    """How much a booster may learn: up to ``most_cases`` training cases."""

    most_cases: float
    trees: int
    smallest_leaf: int


PRESETS = (
    Preset(500, 10, 40),
    Preset(2_000, 25, 40),
    Preset(5_000, 40, 40),
    Preset(12_000, 80, 50),
    Preset(float("inf"), 160, 50),
)
"""Trees of 7 leaves at a learning rate of 0.05. At n of about 1,000 a larger booster fits its own cohort better and
others worse (design: issue 4), so 25 trees move the log-odds by little more than the largest missed effect; about one
tree per 120 cases above that. Leaves of 40 cases and more hold about 10 responders at a rate of 25%, the number of
events per parameter that is asked of a regression (Peduzzi 1996, doi:10.1016/S0895-4356(96)00236-3)."""


def preset(n: int) -> Preset:
    """Return the preset for n training cases.

    Examples
    --------
    >>> preset(1000).trees
    25
    """
    return next(one for one in PRESETS if n <= one.most_cases)


def parameters(settings: BoostedSettings, columns: Sequence[Column], n: int, seed: int) -> dict[str, Any]:
    """Return LightGBM's parameters; ``deterministic`` on one thread gives the same bits on one machine type."""
    signs = [column.expected_sign if settings.monotone else 0 for column in columns]
    return {
        "objective": "binary",
        "boost_from_average": False,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.smallest_leaf or preset(n).smallest_leaf,
        "lambda_l2": settings.ridge,
        "bagging_fraction": settings.share_of_cases,
        "bagging_freq": 1,
        "feature_fraction": settings.share_of_columns,
        "monotone_constraints": signs,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def fit_boosters(
    matrix: FloatArray,
    columns: Sequence[Column],
    y: FloatArray,
    weight: FloatArray,
    start: FloatArray,
    settings: BoostedSettings,
    seed: int,
) -> list[Any]:
    """Fit K boosters from an out-of-fold start.

    Parameters
    ----------
    matrix
        Shape (n, p), NaN is unknown.
    columns
        Contract of the p columns; its expected signs are the monotone constraints.
    y, weight
        Shape (n,): outcome or rate, and how many cases a row stands for. LightGBM counts rows, not weights, against
        the smallest leaf, so a weight of 2 is only nearly two rows here, and a rate is two rows (:func:`as_outcomes`).
    start
        Shape (n,): out-of-fold w * evidence + linear.
    seed
        Seeds of the K boosters are ``seed``, ``seed + 1``, ...
    """
    import lightgbm

    trees, boosters = settings.trees or preset(len(y)).trees, []
    row, label, counted = as_outcomes(y, weight)
    design, begun = np.ascontiguousarray(matrix[row]), start[row]
    for k in range(settings.seeds):
        wanted = parameters(settings, columns, len(y), seed + k)
        data = lightgbm.Dataset(design, label=label, weight=counted, init_score=begun, params=wanted)
        boosters.append(lightgbm.train(wanted, data, num_boost_round=trees))
    return boosters


def as_outcomes(y: FloatArray, weight: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the row, the outcome and the weight of what LightGBM is given: a rate is a responder and another.

    Its binary loss takes every label above 0 for a response, so a rate as it stands would be one whatever it is.

    Examples
    --------
    >>> [found.tolist() for found in as_outcomes(np.array([1.0, 0.25]), np.array([1.0, 8.0]))]
    [[0, 1, 1], [1.0, 1.0, 0.0], [1.0, 2.0, 6.0]]
    """
    rates = np.flatnonzero((y > 0) & (y < 1))
    label, counted = y.copy(), weight.copy()
    label[rates], counted[rates] = 1.0, (weight * y)[rates]
    others = (weight * (1 - y))[rates]
    return (
        np.append(np.arange(len(y)), rates),
        np.append(label, np.zeros(len(rates))),
        np.append(counted, others),
    )


def as_term(boosters: Sequence[Any], matrix: FloatArray, weight: FloatArray) -> BoostedTerm:
    """Return boosters as a term: their texts, centred on the training cases."""
    return centred([booster.model_to_string(num_iteration=-1) for booster in boosters], matrix, weight)
