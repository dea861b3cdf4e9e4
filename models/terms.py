"""The terms of the equation before calibration: z = w * evidence + linear + boosted, and its exact contributions.

Each term is a sum over columns, centred on the training cases, so z = base_z + sum of contributions for every case and
base_z is the (weighted) mean z of the training cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.linear import LinearTerm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.boosted import BoostedTerm
    from models.inputs import FloatArray, Inputs


@dataclass(frozen=True, eq=False)
class Contributions:
    """z taken apart.

    Attributes
    ----------
    columns
        Shape (n, p): linear and boosted together, by column of the table.
    evidence
        Shape (n,): w * (evidence - its training mean).
    parts
        Shape (n, k): the same by part of the evidence; a row sums to ``evidence``.
    boosted_spread
        Shape (n,): variance of z over the K boosters.
    standardised
        Shape (n, p): the columns as the linear term reads them, which its variance reads too; None without one.
    """

    columns: FloatArray
    evidence: FloatArray
    parts: FloatArray
    boosted_spread: FloatArray
    standardised: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Terms:
    """Evidence, linear and boosted as fitted.

    Attributes
    ----------
    base
        Weighted mean z of the training cases.
    evidence_weight
        The learned w, 1 where nothing was learned; None when the evidence is switched off.
    evidence_mean, part_means
        Training means of evidence and of each of its parts, shape (k,).
    linear, boosted
        None when the experiment switched them off.
    """

    base: float
    evidence_weight: float | None
    evidence_mean: float
    part_means: FloatArray
    linear: LinearTerm | None
    boosted: BoostedTerm | None

    def contributions(self, inputs: Inputs) -> Contributions:
        """Take z apart; ``z = base + evidence + columns.sum(axis=1)``."""
        columns, spread, standardised = np.zeros(inputs.matrix.shape), np.zeros(inputs.n), None
        if self.linear is not None:
            standardised = self.linear.standardised(inputs.matrix)
            columns = standardised * self.linear.coefficients
        if self.boosted is not None:
            of_boosters, spread = self.boosted.contributions(inputs.matrix)
            columns = columns + of_boosters
        if inputs.evidence is None or self.evidence_weight is None:
            return Contributions(columns, np.zeros(inputs.n), np.zeros((inputs.n, 0)), spread, standardised)
        evidence = self.evidence_weight * (inputs.evidence.log_odds - self.evidence_mean)
        parts = self.evidence_weight * (inputs.evidence.parts - self.part_means)
        return Contributions(columns, evidence, parts, spread, standardised)

    def z(self, inputs: Inputs) -> FloatArray:
        """Return z, shape (n,)."""
        found = self.contributions(inputs)
        return np.asarray(self.base + found.evidence + found.columns.sum(axis=1), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the stored form, the boosters apart (they are texts of their own)."""
        boosted = self.boosted
        return {
            "base": self.base,
            "evidence": {
                "weight": self.evidence_weight,
                "mean": self.evidence_mean,
                "part_means": self.part_means.tolist(),
            },
            "linear": None if self.linear is None else self.linear.to_dict(),
            "boosted": None
            if boosted is None
            else {"boosters": len(boosted.texts), "centre": boosted.centre.tolist(), "mean": boosted.mean},
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], texts: tuple[str, ...]) -> Terms:
        """Return the terms a dict was stored from, with the boosters' texts."""
        boosted, evidence = None, stored["evidence"]
        if stored["boosted"] is not None:
            from models.boosted import BoostedTerm

            kept = stored["boosted"]
            boosted = BoostedTerm(texts, np.array(kept["centre"], dtype=np.float64), kept["mean"])
        return cls(
            base=stored["base"],
            evidence_weight=evidence["weight"],
            evidence_mean=evidence["mean"],
            part_means=np.array(evidence["part_means"], dtype=np.float64),
            linear=None if stored["linear"] is None else LinearTerm.from_dict(stored["linear"]),
            boosted=boosted,
        )
