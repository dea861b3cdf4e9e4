"""The linear term: standardised columns times ridge coefficients, stored and applied by us.

A number is centred on its weighted training mean and divided by its standard deviation; a flag is centred and divided
by 0.5, so that every level of a lineage has the same prior whatever its frequency and a rare one falls back on its
parents (Gelman 2008, doi:10.1002/sim.3107). Missing policy: NaN is 0 after centring, and the missing indicator carries
the rest. Unseen values: a column that never varied in training has coefficient 0 and its prior variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.inputs import FloatArray


@dataclass(frozen=True, eq=False)
class LinearTerm:
    """Ridge logistic regression on the feature table.

    Attributes
    ----------
    centre, scale
        Shape (p,): weighted training mean of the known values, and what a difference from it is divided by.
    coefficients
        Shape (p,): log-odds per scaled unit.
    penalty
        The ridge penalty that was chosen (inverse prior variance of a coefficient).
    """

    centre: FloatArray
    scale: FloatArray
    coefficients: FloatArray
    penalty: float

    def standardised(self, matrix: FloatArray) -> FloatArray:
        """Return the centred and scaled columns, unknown values as 0; shape (n, p)."""
        columns = matrix - self.centre
        columns /= self.scale
        columns[np.isnan(columns)] = 0.0
        return columns

    def contributions(self, matrix: FloatArray) -> FloatArray:
        """Return log-odds by column, shape (n, p); the training mean of each column is 0.

        This is linear SHAP with independent features: ``shap.LinearExplainer`` gives the same.

        Examples
        --------
        >>> term = LinearTerm(np.array([10.0]), np.array([5.0]), np.array([0.2]), 1.0)
        >>> term.contributions(np.array([[20.0], [np.nan]])).tolist()
        [[0.4], [0.0]]
        """
        return self.standardised(matrix) * self.coefficients

    def raw_coefficients(self) -> FloatArray:
        """Return log-odds per unit of each column."""
        return self.coefficients / self.scale

    def to_dict(self) -> dict[str, Any]:
        """Return the stored form; floats keep every bit through JSON."""
        return {
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "coefficients": self.coefficients.tolist(),
            "penalty": self.penalty,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> LinearTerm:
        """Return the term a dict was stored from."""
        centre, scale, coefficients = (
            np.array(stored[k], dtype=np.float64) for k in ("centre", "scale", "coefficients")
        )
        return cls(centre, scale, coefficients, float(stored["penalty"]))
