"""Does a score rank one arm better than the other: logistic regression with an arm x log-odds term, by Newton's method.

logit P(response) = b0 + b1 treated + b2 z + b3 treated z. b3 above 0 is what a score of *this therapy* should show;
b3 at 0 is prognosis: whoever does well, does well on either arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from features.errors import Refusal
from models.bootstrap import Estimate
from models.delong import Z_95

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from training.judged import FloatArray

TERMS = ("intercept", "treated", "log_odds", "treated_x_log_odds")

MOST_STEPS, STEP_TOLERANCE = 50, 1e-10
"""Newton steps; change of a coefficient at which it stops. Separable data never stop and are undefined."""

RUNAWAY = 50.0
"""A coefficient beyond this has no maximum."""


class NoInteraction(Refusal):
    """Arms, outcomes and scores that do not belong together."""

    code = "no_interaction"


@dataclass(frozen=True)
class Interaction:
    """Coefficients in log-odds (per unit of z) with Wald 95% intervals, and the p value of the interaction."""

    coefficients: dict[str, Estimate]
    p_value: float

    @property
    def interaction(self) -> Estimate:
        """The arm x log-odds term."""
        return self.coefficients["treated_x_log_odds"]


def arm_interaction(outcome: ArrayLike, treated: ArrayLike, log_odds: ArrayLike) -> Interaction:
    """Fit the interaction of arm and score.

    Parameters
    ----------
    outcome, treated
        Shape (n,), 0 or 1.
    log_odds
        Shape (n,): the score; finite.

    Returns
    -------
    Interaction
        NaN throughout where the likelihood has no maximum (an arm without responders, a constant score).

    Raises
    ------
    NoInteraction
        When shapes differ or a score is not finite.

    Examples
    --------
    >>> y, arm, z = [0, 1, 0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1, 1, 1], [-1, 0.5, 0.8, 1, 1.5, -1, 0, 0.4]
    >>> round(arm_interaction(y, arm, z).interaction.value, 3)
    -0.204
    """
    y, arm, z = (np.asarray(one, dtype=np.float64) for one in (outcome, treated, log_odds))
    if not y.shape == arm.shape == z.shape or not np.isfinite(z).all():
        raise NoInteraction(f"{y.size} outcomes, {arm.size} arms and {z.size} scores, {np.isnan(z).sum()} unknown")
    design = np.column_stack([np.ones_like(z), arm, z, arm * z])
    beta, covariance = _newton(design, y)
    errors = np.sqrt(np.diag(covariance))
    found = {
        name: Estimate(float(b), float(b - Z_95 * e), float(b + Z_95 * e))
        for name, b, e in zip(TERMS, beta, errors, strict=True)
    }
    with np.errstate(invalid="ignore"):
        p_value = float(2 * norm.sf(abs(beta[3]) / errors[3]))
    return Interaction(found, p_value)


def _newton(design: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    nowhere = np.full(design.shape[1], np.nan), np.full((design.shape[1], design.shape[1]), np.nan)
    beta = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        p = expit(design @ beta)
        information = (design.T * (p * (1 - p))) @ design
        if np.linalg.cond(information) > 1 / np.finfo(np.float64).eps or np.abs(beta).max() > RUNAWAY:
            return nowhere
        step = np.linalg.solve(information, design.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < STEP_TOLERANCE:
            return beta, np.linalg.inv(information)
    return nowhere
