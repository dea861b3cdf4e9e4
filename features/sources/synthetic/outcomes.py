"""Outcomes, and the factor that nobody measures.

Each patient has a hidden factor b, say how inflamed the tumour is, and responds with probability
``expit(truth / PHI + b)``. b follows the bridge distribution of Wang and Louis (Biometrika 2003;90:765): the one
distribution for which the probability averaged over b is logistic again, exactly ``expit(truth)``. So outcome
frequencies match the truth, the truth stays a sum of groups, and no model that sees every field can do better than it.
The same b moves the depth of response: complete rather than partial, stable rather than progressive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from features.sources.synthetic.draft import stream

if TYPE_CHECKING:
    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Draft

PHI = 0.85
"""Attenuation of log-odds by the hidden factor; its variance is pi^2/3 (1/PHI^2 - 1) = 1.26."""
BEST_RESPONSES = ("CR", "PR", "SD", "PD", "NE")
NOT_EVALUABLE_SHARE = 0.06
"""Of those who do not respond: no scan after baseline (OAK: 30 of 425)."""


def bridge(u: FloatArray) -> FloatArray:
    """Return the hidden factor at quantiles ``u`` of (0, 1).

    Examples
    --------
    >>> float(bridge(np.array([0.5]))[0])
    0.0
    """
    return np.asarray(np.log(np.sin(PHI * np.pi * u) / np.sin(PHI * np.pi * (1 - u))) / PHI)


def outcomes(draft: Draft, log_odds: FloatArray, seed: int, block: int) -> tuple[FloatArray, IntArray]:
    """Draw response (1, 0) and best response (place in :data:`BEST_RESPONSES`)."""
    rng = stream(seed, draft.family, draft.cohort, block, "outcome")
    u = rng.random((3, draft.n))
    hidden = bridge(np.clip(u[0], 1e-12, 1 - 1e-12))
    responded = u[1] < expit(log_odds / PHI + hidden)
    complete = u[2] < expit(-1.7 + 0.8 * hidden)
    stable = u[2] < expit(-0.2 + 0.8 * hidden)
    unseen = u[2] > 1 - NOT_EVALUABLE_SHARE
    best = np.where(responded, np.where(complete, 0, 1), np.where(unseen, 4, np.where(stable, 2, 3)))
    return responded.astype(np.float64), best.astype(np.int64)
