"""Partial pooling of published arms: ridge logistic regression whose penalties are variances learned from the arms.

The log-odds of arm *i* is ``sum_j x_ij b_j + family_i + arm_i``; every coefficient is normal around its declared prior
mean with the variance of its *term group* (a ridge penalty of one over that variance), trial families and arms have
variances of their own. With Gaussian penalties this is the same model as a Gaussian process over arms, so all of it
is solved in the space of the arms (some hundreds), whatever the number of terms: penalised iteratively re-weighted
least squares for the mode, Laplace's approximation for the variances.

References
----------
Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, algorithms 3.1, 3.2 and 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.evidence_data import Variances

if TYPE_CHECKING:
    from models.evidence_data import ArmData, FloatArray

STEPS = 100
"""Newton steps at most; the objective is concave and ten are usual."""

HALVINGS = 14
"""Halvings of a step at most; one is seldom needed."""

TOLERANCE = 1e-10
"""Change of the penalised log-likelihood below which the mode is found."""

LOG_VARIANCE_SD = 1.0
"""Prior spread of every log-variance around its declared value: a factor of 1.6 either way in the standard deviation.
Weak against 100 arms; it keeps a group that few arms speak to from running off."""


@dataclass(frozen=True)
class Posterior:
    """Mode and curvature: all that is needed for log-odds, their variances, and the arms they lean on.

    Attributes
    ----------
    coefficients
        Shape (p,): posterior modes.
    latent
        Shape (n,): log-odds of the fitted arms and contrasts at the mode, their own trial's deviation included.
    covariance
        Shape (p, n): prior covariance of every coefficient with the log-odds of the arms.
    whitening
        Shape (n, n): with ``v = whitening @ (x @ covariance)``, the variance of ``x b`` is its prior variance less
        ``|v|^2``, and ``v @ whitening`` says by how much ``x b`` follows the log-odds of each arm.
    """

    coefficients: FloatArray
    latent: FloatArray
    covariance: FloatArray
    whitening: FloatArray

    @classmethod
    def at(cls, data: ArmData, variances: Variances, latent: FloatArray, coefficients: FloatArray) -> Posterior:
        """Return the posterior whose mode is known: only the curvature there is worked out."""
        root = np.sqrt(data.curvature(latent))
        whitening = np.linalg.solve(_factor(data.kernel(variances), root), np.diag(root))
        covariance = np.ascontiguousarray((data.terms * variances.of_group[data.groups]).T)
        return cls(coefficients, latent, covariance, whitening)


@dataclass(frozen=True)
class _Mode:
    latent: FloatArray
    slope: FloatArray
    curvature: FloatArray
    cholesky: FloatArray
    log_evidence: float


def _mode(kernel: FloatArray, data: ArmData, start: FloatArray | None) -> _Mode:
    """Find the mode of the log-odds by Newton steps (algorithm 3.1), each halved until it improves."""
    mean = data.mean
    slope = np.zeros(len(mean)) if start is None else start
    latent = kernel @ slope + mean
    value = _objective(slope, latent, data)
    for _ in range(STEPS):
        curvature = data.curvature(latent)
        root = np.sqrt(curvature)
        target = curvature * (latent - mean) + data.gradient(latent)
        step = target - root * _solve(_factor(kernel, root), root * (kernel @ target)) - slope
        gain, taken = _improving(step, slope, value, kernel, data)
        if taken is None:
            break
        slope = slope + taken
        latent, value = kernel @ slope + mean, value + gain
        if gain < TOLERANCE:
            break
    curvature = data.curvature(latent)
    lower = _factor(kernel, np.sqrt(curvature))
    return _Mode(latent, slope, curvature, lower, value - float(np.log(np.diag(lower)).sum()))


def _improving(
    step: FloatArray, slope: FloatArray, value: float, kernel: FloatArray, data: ArmData
) -> tuple[float, FloatArray | None]:
    """Return the gain of a step, halved until it does not lose; no step when none is found."""
    for _ in range(HALVINGS):
        trial = slope + step
        gain = _objective(trial, kernel @ trial + data.mean, data) - value
        if gain >= 0:
            return gain, step
        step = 0.5 * step
    return 0.0, None


def _factor(kernel: FloatArray, root: FloatArray) -> FloatArray:
    """Return the Cholesky factor of I + sqrt(W) K sqrt(W), whose eigenvalues are at least 1."""
    return np.asarray(np.linalg.cholesky(np.eye(len(root)) + root[:, None] * kernel * root[None, :]), dtype=np.float64)


def _objective(slope: FloatArray, latent: FloatArray, data: ArmData) -> float:
    return data.log_likelihood(latent) - 0.5 * float(slope @ (latent - data.mean))


def _solve(lower: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(lower.T, np.linalg.solve(lower, right)), dtype=np.float64)


def posterior(data: ArmData, variances: Variances) -> Posterior:
    """Return the mode and curvature of the coefficients at given variances.

    Parameters
    ----------
    data
        The arms.
    variances
        One per term group, and the two between trials.
    """
    mode = _mode(data.kernel(variances), data, None)
    coefficients = data.prior_mean + variances.of_group[data.groups] * (data.terms.T @ mode.slope)
    return Posterior.at(data, variances, mode.latent, coefficients)


def learn_variances(data: ArmData, declared: Variances, steps: int = 60) -> Variances:
    """Return the variances that make the arms most probable (Laplace's marginal likelihood with a weak prior).

    ``declared`` holds the centre of the prior of each, which is also the start. No left-out arm and no bar is
    consulted: as many numbers are learned as there are pools, and two.
    """
    from scipy.optimize import minimize

    centre = declared.packed()
    parts = data.kernels(len(declared.of_group))
    warm: list[FloatArray | None] = [None]

    def loss(logs: FloatArray) -> tuple[float, FloatArray]:
        value, gradient, warm[0] = improbability(logs, centre, parts, data, warm[0])
        return value, gradient

    options = {"maxiter": steps, "ftol": 1e-7}
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=[(-9, 3)] * len(centre), options=options)
    return Variances.unpacked(np.asarray(found.x, dtype=np.float64))


def improbability(
    logs: FloatArray, centre: FloatArray, parts: FloatArray, data: ArmData, start: FloatArray | None = None
) -> tuple[float, FloatArray, FloatArray]:
    """Return the negative log probability of the data at log-variances, its gradient, and where the mode was found.

    Parameters
    ----------
    logs, centre
        Shape (groups + 2,): log-variances, and the centres of their priors.
    parts
        Shape (groups + 2, n, n): see :meth:`ArmData.kernels`.
    data
        The arms.
    start
        Where a mode was found before, to start from.
    """
    values = np.exp(logs)
    mode = _mode(np.tensordot(values, parts, axes=1), data, start)
    off = (logs - centre) / LOG_VARIANCE_SD
    gradient = off / LOG_VARIANCE_SD - values * _slopes(parts, values, mode, data)
    return 0.5 * float(off @ off) - mode.log_evidence, gradient, mode.slope


def _slopes(parts: FloatArray, values: FloatArray, mode: _Mode, data: ArmData) -> FloatArray:
    """Return the derivatives of the log evidence by the variances (algorithm 5.1), shape (groups,).

    ``parts``, shape (groups, n, n), are the kernels of unit variance; ``values`` their variances.
    """
    kernel = np.tensordot(values, parts, axes=1)
    root = np.sqrt(mode.curvature)
    inverse = root[:, None] * _solve(mode.cholesky, np.diag(root))
    half = np.linalg.solve(mode.cholesky, root[:, None] * kernel)
    implicit = 0.5 * (np.diag(kernel) - (half * half).sum(axis=0)) * data.third(mode.latent)
    direct = parts @ data.gradient(mode.latent)
    explicit = 0.5 * (parts @ mode.slope) @ mode.slope - 0.5 * np.einsum("ij,gij->g", inverse, parts)
    return np.asarray(explicit + (direct - direct @ inverse @ kernel) @ implicit, dtype=np.float64)
