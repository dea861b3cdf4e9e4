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

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

STEPS = 100
"""Newton steps at most; the objective is concave and ten are usual."""

LEAST_CURVATURE = 1e-12
"""Binomial information below which an arm says nothing; it keeps square roots and divisions finite."""

TOLERANCE = 1e-10
"""Change of the penalised log-likelihood below which the mode is found."""

LOG_VARIANCE_SD = 1.0
"""Prior spread of every log-variance around its declared value: a factor of 1.6 either way in the standard deviation.
Weak against 100 arms; it keeps a group that few arms speak to from running off."""


@dataclass(frozen=True)
class ArmData:
    """What is fitted: terms and responders of the arms.

    Attributes
    ----------
    terms
        Shape (n, p): values of the named terms.
    groups
        Shape (p,): the group of each term, an index into the variances.
    prior_mean
        Shape (p,): declared prior means, 0 where no rule declares one.
    responders, treated
        Shape (n,): effective numbers (after weighting), responders between 0 and treated.
    family
        Shape (n,): trial family of each arm, an index.
    """

    terms: FloatArray
    groups: IntArray
    prior_mean: FloatArray
    responders: FloatArray
    treated: FloatArray
    family: IntArray


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


@dataclass(frozen=True)
class Posterior:
    """Mode and curvature: all that is needed for log-odds, their variances, and the arms they lean on.

    Attributes
    ----------
    coefficients
        Shape (p,): posterior modes.
    latent
        Shape (n,): log-odds of the fitted arms at the mode, their own trial's deviation included.
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
        rate = sigmoid(latent)
        root = np.sqrt(np.maximum(data.treated * rate * (1 - rate), LEAST_CURVATURE))
        whitening = np.linalg.solve(_factor(_kernel(data, variances), root), np.diag(root))
        covariance = np.ascontiguousarray((data.terms * variances.of_group[data.groups]).T)
        return cls(coefficients, latent, covariance, whitening)


def sigmoid(z: FloatArray) -> FloatArray:
    """Return 1/(1+exp(-z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


def _kernels(data: ArmData, n_groups: int) -> list[FloatArray]:
    found = [block @ block.T for block in (data.terms[:, data.groups == g] for g in range(n_groups))]
    same = (data.family[:, None] == data.family[None, :]).astype(np.float64)
    return [*found, same, np.eye(len(data.treated))]


@dataclass(frozen=True)
class _Mode:
    latent: FloatArray
    slope: FloatArray
    curvature: FloatArray
    cholesky: FloatArray
    log_evidence: float


def _mode(kernel: FloatArray, mean: FloatArray, data: ArmData, start: FloatArray | None) -> _Mode:
    """Find the mode of the latent log-odds by Newton steps (algorithm 3.1), each step halved until it improves."""
    n = len(mean)
    weight_of = np.zeros(n) if start is None else start
    latent = kernel @ weight_of + mean
    value = _objective(weight_of, latent, mean, data)
    for _ in range(STEPS):
        rate = sigmoid(latent)
        curvature = np.maximum(data.treated * rate * (1 - rate), LEAST_CURVATURE)
        root = np.sqrt(curvature)
        lower = _factor(kernel, root)
        target = curvature * (latent - mean) + data.responders - data.treated * rate
        step = target - root * _solve(lower, root * (kernel @ target)) - weight_of
        size, improved = 1.0, False
        while size > 1e-4 and not improved:
            trial = weight_of + size * step
            trial_latent = kernel @ trial + mean
            trial_value = _objective(trial, trial_latent, mean, data)
            improved = trial_value >= value - 1e-12
            size *= 0.5
        gain = trial_value - value
        weight_of, latent, value = trial, trial_latent, trial_value
        if gain < TOLERANCE:
            break
    rate = sigmoid(latent)
    curvature = np.maximum(data.treated * rate * (1 - rate), LEAST_CURVATURE)
    lower = _factor(kernel, np.sqrt(curvature))
    return _Mode(latent, weight_of, curvature, lower, value - float(np.log(np.diag(lower)).sum()))


def _factor(kernel: FloatArray, root: FloatArray) -> FloatArray:
    """Return the Cholesky factor of I + sqrt(W) K sqrt(W), whose eigenvalues are at least 1."""
    return np.asarray(np.linalg.cholesky(np.eye(len(root)) + root[:, None] * kernel * root[None, :]), dtype=np.float64)


def _kernel(data: ArmData, variances: Variances) -> FloatArray:
    """Return the prior covariance of the arms' log-odds."""
    kernel = (data.terms * variances.of_group[data.groups]) @ data.terms.T
    kernel += variances.between_families * (data.family[:, None] == data.family[None, :])
    return np.asarray(kernel + variances.between_arms * np.eye(len(data.treated)), dtype=np.float64)


def _objective(weight_of: FloatArray, latent: FloatArray, mean: FloatArray, data: ArmData) -> float:
    fit = data.responders * latent - data.treated * np.logaddexp(0.0, latent)
    return float(fit.sum() - 0.5 * weight_of @ (latent - mean))


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
    mode = _mode(_kernel(data, variances), data.terms @ data.prior_mean, data, None)
    coefficients = data.prior_mean + variances.of_group[data.groups] * (data.terms.T @ mode.slope)
    return Posterior.at(data, variances, mode.latent, coefficients)


def learn_variances(data: ArmData, declared: Variances, steps: int = 60) -> Variances:
    """Return the variances that make the arms most probable (Laplace's marginal likelihood with a weak prior).

    ``declared`` holds the centre of the prior of each, which is also the start. No left-out arm and no bar is
    consulted: as many numbers are learned as there are pools, and two.
    """
    from scipy.optimize import minimize

    centre = declared.packed()
    parts = np.stack(_kernels(data, len(declared.of_group)))
    mean = data.terms @ data.prior_mean
    warm: list[FloatArray | None] = [None]

    def loss(logs: FloatArray) -> tuple[float, FloatArray]:
        values = np.exp(logs)
        mode = _mode(np.tensordot(values, parts, axes=1), mean, data, warm[0])
        warm[0] = mode.slope
        off = (logs - centre) / LOG_VARIANCE_SD
        gradient = -values * _slopes(parts, values, mode, data) + off / LOG_VARIANCE_SD
        return -mode.log_evidence + 0.5 * float(off @ off), gradient

    options = {"maxiter": steps, "ftol": 1e-7}
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=[(-9, 3)] * len(centre), options=options)
    return Variances.unpacked(np.asarray(found.x, dtype=np.float64))


def _slopes(parts: FloatArray, values: FloatArray, mode: _Mode, data: ArmData) -> FloatArray:
    """Return the derivatives of the log evidence by the variances (algorithm 5.1), shape (groups,).

    ``parts``, shape (groups, n, n), are the kernels of unit variance; ``values`` their variances.
    """
    kernel = np.tensordot(values, parts, axes=1)
    root = np.sqrt(mode.curvature)
    inverse = root[:, None] * _solve(mode.cholesky, np.diag(root))
    half = np.linalg.solve(mode.cholesky, root[:, None] * kernel)
    rate = sigmoid(mode.latent)
    third = -data.treated * rate * (1 - rate) * (1 - 2 * rate)
    implicit = 0.5 * (np.diag(kernel) - (half * half).sum(axis=0)) * third
    gradient = data.responders - data.treated * rate
    direct = parts @ gradient
    explicit = 0.5 * (parts @ mode.slope) @ mode.slope - 0.5 * np.einsum("ij,gij->g", inverse, parts)
    return np.asarray(explicit + (direct - direct @ inverse @ kernel) @ implicit, dtype=np.float64)
