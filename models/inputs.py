"""What the terms of the equation read: the feature matrix and what published arms say, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import Batch
    from features.contract import Column, Group, Shown

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class FeatureLike(Protocol):
    """One contribution's name, group and columns; see :class:`features.table.Feature`."""

    @property
    def name(self) -> str:
        """Name of the feature."""
        ...

    @property
    def group(self) -> Group:
        """Group of the feature."""
        ...

    @property
    def columns(self) -> tuple[int, ...]:
        """Places of its columns in the matrix."""
        ...


class TableLike(Protocol):
    """What the models ask of a feature table; :class:`features.table.FeatureTable` is the one that is served."""

    @property
    def family(self) -> str:
        """``checkpoint`` or ``targeted``."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Contract of the columns, in order."""
        ...

    @property
    def features(self) -> Sequence[FeatureLike]:
        """Features, in order, each with its columns."""
        ...

    @property
    def digest(self) -> str:
        """Digest of the contract."""
        ...

    def matrix(self, batch: Batch) -> FloatArray:
        """Return the matrix of a batch, NaN is unknown."""
        ...

    def show(self, batch: Batch, row: int) -> dict[str, Shown]:
        """Return how each feature of a case is shown."""
        ...

    def warnings(self, batch: Batch, row: int) -> list[str]:
        """Return coded warnings about a case."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the stored form."""
        ...


@dataclass(frozen=True, slots=True)
class EvidenceInputs:
    """What published arms say about each case, on the log-odds.

    Attributes
    ----------
    log_odds
        Shape (n,).
    variance
        Shape (n,): of the estimate (penalised covariance) plus between trials.
    covered
        Shape (n,): there are arms about this therapy or its class.
    part_names, parts
        Names (k) and shape (n, k): the terms whose sum is ``log_odds`` up to one constant, interactions included.
    """

    log_odds: FloatArray
    variance: FloatArray
    covered: BoolArray
    part_names: tuple[str, ...]
    parts: FloatArray

    def take(self, rows: IntArray | BoolArray) -> EvidenceInputs:
        """Return some of the cases, in the order asked for."""
        return EvidenceInputs(
            self.log_odds[rows], self.variance[rows], self.covered[rows], self.part_names, self.parts[rows]
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """Cases as the terms read them.

    Attributes
    ----------
    matrix
        Shape (n, p), NaN is unknown.
    evidence
        None when there is no evidence term.
    histology_cases
        Shape (n, k): training cases at each level of the histology's lineage, the histology itself first; NaN beyond
        the lineage's end. For the interval; None while a model is fitted.
    alike_cases
        Shape (n, k): the same of the case's therapy class alone.
    """

    matrix: FloatArray
    evidence: EvidenceInputs | None = None
    histology_cases: FloatArray | None = None
    alike_cases: FloatArray | None = None

    @property
    def n(self) -> int:
        """Number of cases."""
        return int(self.matrix.shape[0])

    def take(self, rows: IntArray | BoolArray) -> Inputs:
        """Return some of the cases, in the order asked for.

        Examples
        --------
        >>> Inputs(np.array([[1.0], [2.0]])).take(np.array([1])).matrix.tolist()
        [[2.0]]
        """
        return Inputs(
            self.matrix[rows],
            None if self.evidence is None else self.evidence.take(rows),
            None if self.histology_cases is None else self.histology_cases[rows],
            None if self.alike_cases is None else self.alike_cases[rows],
        )


def logistic(log_odds: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-log_odds)), without overflow at either end.

    Examples
    --------
    >>> logistic(np.array([0.0, -800.0])).tolist()
    [0.5, 0.0]
    """
    shrunk = np.exp(-np.abs(log_odds))
    return np.asarray(np.where(log_odds >= 0, 1.0 / (1.0 + shrunk), shrunk / (1.0 + shrunk)), dtype=np.float64)


def log_loss(log_odds: FloatArray, y: FloatArray, weight: FloatArray) -> float:
    """Return the weighted mean of -log likelihood; ``y`` may be a rate between 0 and 1.

    Examples
    --------
    >>> round(log_loss(np.zeros(2), np.array([0.0, 1.0]), np.ones(2)), 4)
    0.6931
    """
    return float(np.average(np.logaddexp(0.0, log_odds) - y * log_odds, weights=weight))
