"""What the evidence is fitted to: responders of the arms, and declared contrasts between two cases.

An arm is a binomial count. A contrast (``evidence_contrasts.csv``) is a rule of the vocabulary that arms cannot settle,
stated as what was published of it: the log-odds of one case less those of another, with a standard error; it is a
normal observation of a difference of coefficients, and has no patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_CURVATURE = 1e-12
"""Information below which an observation says nothing; it keeps square roots and divisions finite."""


def sigmoid(z: FloatArray) -> FloatArray:
    """Return 1/(1+exp(-z)) without overflow.

    Examples
    --------
    >>> float(sigmoid(np.array(0.0)))
    0.5
    """
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


@dataclass(frozen=True)
class ArmData:
    """Terms and observations, arms first and contrasts behind them; n rows in all.

    Attributes
    ----------
    terms
        Shape (n, p): values of the named terms; for a contrast the difference of two cases.
    groups
        Shape (p,): the pool of each term, an index into the variances.
    prior_mean
        Shape (p,): declared prior means, 0 where no rule declares one.
    responders, treated
        Shape (n,): effective numbers (after weighting), responders between 0 and treated; 0 for a contrast.
    family
        Shape (n,): trial family of each arm, an index; -1 for a contrast.
    difference, precision
        Shape (n,): the declared difference in log-odds and one over its squared standard error; 0 for an arm.
    """

    terms: FloatArray
    groups: IntArray
    prior_mean: FloatArray
    responders: FloatArray
    treated: FloatArray
    family: IntArray
    difference: FloatArray
    precision: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Prior mean of the log-odds of every row."""
        return np.asarray(self.terms @ self.prior_mean, dtype=np.float64)

    def log_likelihood(self, latent: FloatArray) -> float:
        """Return the log-likelihood at log-odds, without constants."""
        counts = self.responders * latent - self.treated * np.logaddexp(0.0, latent)
        return float((counts - 0.5 * self.precision * (latent - self.difference) ** 2).sum())

    def gradient(self, latent: FloatArray) -> FloatArray:
        """Return its first derivative."""
        off = self.precision * (self.difference - latent)
        return np.asarray(self.responders - self.treated * sigmoid(latent) + off, dtype=np.float64)

    def curvature(self, latent: FloatArray) -> FloatArray:
        """Return its negative second derivative."""
        rate = sigmoid(latent)
        return np.maximum(self.treated * rate * (1 - rate) + self.precision, LEAST_CURVATURE)

    def third(self, latent: FloatArray) -> FloatArray:
        """Return its third derivative."""
        rate = sigmoid(latent)
        return np.asarray(-self.treated * rate * (1 - rate) * (1 - 2 * rate), dtype=np.float64)

    def kernels(self, n_groups: int) -> FloatArray:
        """Return the covariances of the log-odds for unit variances, shape (groups + 2, n, n)."""
        blocks = (self.terms[:, self.groups == group] for group in range(n_groups))
        return np.stack([*(block @ block.T for block in blocks), *self._between()])

    def kernel(self, variances: Variances) -> FloatArray:
        """Return the prior covariance of the log-odds of the rows."""
        families, arms = self._between()
        found = (self.terms * variances.of_group[self.groups]) @ self.terms.T
        found += variances.between_families * families + variances.between_arms * arms
        return np.asarray(found, dtype=np.float64)

    def _between(self) -> tuple[FloatArray, FloatArray]:
        arm = self.family >= 0
        same = (self.family[:, None] == self.family[None, :]) & arm[:, None]
        return same.astype(np.float64), np.diag(arm.astype(np.float64))


@dataclass(frozen=True)
class Variances:
    """Variances on the log-odds scale: of the coefficients by term group, between families, between arms of one."""

    of_group: FloatArray
    between_families: float
    between_arms: float

    def packed(self) -> FloatArray:
        """Return the logarithms, groups first."""
        packed = np.log(np.append(self.of_group, [self.between_families, self.between_arms]))
        return np.asarray(packed, dtype=np.float64)

    @classmethod
    def unpacked(cls, logs: FloatArray) -> Variances:
        """Return the variances from their logarithms."""
        values = np.exp(logs)
        return cls(values[:-2], float(values[-2]), float(values[-1]))
