"""A local linear smoother (loess) for calibration curves, linear in the outcomes so that resamples share its weights.

Cleveland, JASA 1979 (doi:10.1080/01621459.1979.10481038): nearest 75% of the cases, tricube weights, a straight line at
each point, no robustness steps. Equal to ``statsmodels.nonparametric.lowess(frac=0.75, it=0)`` to 1e-10 up to 500
distinct predictions; beyond that it is evaluated at 500 quantiles and interpolated linearly between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.metrics import FloatArray

SPAN = 0.75
"""Share of the cases in each neighbourhood; the default of R's ``loess`` and of Austin and Steyerberg 2019."""

MOST_POINTS = 500
"""Points at which the curve is computed exactly."""

_NEAR, _FAR = 0.001, 0.999
"""Cleveland's shares of the radius: nearer counts fully, farther not at all."""


@dataclass(frozen=True)
class Loess:
    """Neighbourhood weights of a loess over fixed predictions.

    Attributes
    ----------
    x
        Shape (n,): predictions.
    weight
        Shape (n,): case weights the neighbourhoods were built with.
    points
        Shape (g,): where the line is fitted, ascending.
    kernel
        Shape (n, g): tricube weights.
    """

    x: FloatArray
    weight: FloatArray
    points: FloatArray
    kernel: FloatArray

    @classmethod
    def of(cls, x: FloatArray, weight: FloatArray, span: float = SPAN) -> Loess:
        """Build the neighbourhoods; weights count cases, so a weight of 2 is two neighbours."""
        points = np.unique(x[weight > 0])
        if len(points) > MOST_POINTS:
            points = np.unique(np.quantile(x[weight > 0], np.linspace(0, 1, MOST_POINTS)))
        radius = _radii(x, points, weight, span)
        return cls(x, weight, points, _tricube(np.abs(x[:, None] - points), radius))

    def at_points(self, outcome: FloatArray, weight: FloatArray | None = None) -> FloatArray:
        """Return the curve at ``points``, shape (..., g), for one or many rows of weights."""
        w = self.weight if weight is None else weight
        offset = self.x - self.x.mean()
        at = self.points - self.x.mean()
        s0, s1, s2 = w @ self.kernel, (w * offset) @ self.kernel, (w * offset**2) @ self.kernel
        t0, t1 = (w * outcome) @ self.kernel, (w * outcome * offset) @ self.kernel
        with np.errstate(divide="ignore", invalid="ignore"):
            centre, level = s1 / s0, t0 / s0
            spread = s2 / s0 - centre**2
            tilt = np.where(spread > 1e-12, (t1 / s0 - centre * level) / spread, 0.0)
        return np.asarray(level + tilt * (at - centre))

    def fitted(self, outcome: FloatArray, weight: FloatArray | None = None) -> FloatArray:
        """Return the curve at every case, shape (..., n)."""
        curve = self.at_points(outcome, weight)
        right = np.clip(np.searchsorted(self.points, self.x), 1, max(len(self.points) - 1, 1))
        if len(self.points) == 1:
            return np.broadcast_to(curve, (*curve.shape[:-1], len(self.x)))
        share = (self.x - self.points[right - 1]) / (self.points[right] - self.points[right - 1])
        return np.asarray(curve[..., right - 1] * (1 - share) + curve[..., right] * share)


def _radii(x: FloatArray, points: FloatArray, weight: FloatArray, span: float) -> FloatArray:
    """Distance to the k-th nearest case of each point, k = floor(span * cases)."""
    k = int(np.floor(span * weight.sum() + 1e-10))
    if k >= 1 and np.all(weight == 1):
        return _radii_of_equals(np.sort(x), points, k)
    distance = np.abs(x[:, None] - points)
    order = np.argsort(distance, axis=0, kind="stable")
    reached = np.cumsum(weight[order], axis=0) >= k
    first = np.argmax(reached, axis=0)
    columns = np.arange(distance.shape[1])
    return np.asarray(distance[order[first, columns], columns])


def _radii_of_equals(ordered: FloatArray, points: FloatArray, k: int) -> FloatArray:
    """Return the same for cases that count alike: the k nearest stand side by side, from some case on.

    Of the runs of k cases in order the one that reaches least far on both sides is taken. Its far end moves away as
    the run moves up, its near end comes closer, so the best is where the two cross.
    """
    low, high = ordered[: len(ordered) - k + 1], ordered[k - 1 :]
    crossing = np.searchsorted(low + high, 2 * points)
    tried = np.clip(crossing[:, None] + np.array([-1, 0, 1]), 0, len(low) - 1)  # the sums are rounded: look beside, too
    reach = np.maximum(high[tried] - points[:, None], points[:, None] - low[tried])
    return np.asarray(reach.min(axis=1))


def _tricube(distance: FloatArray, radius: FloatArray) -> FloatArray:
    safe = np.where(radius > 0, radius, 1.0)
    share = distance / safe
    kernel = 1 - share * share * share
    kernel *= kernel * kernel
    kernel[distance <= _NEAR * radius] = 1.0
    far = distance > _FAR * radius
    kernel[far] = distance[far] == 0
    return np.asarray(kernel)
