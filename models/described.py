"""Groups of patients that are known by a description and a rate: published trial arms as rows of a fit on patients.

A model that is fitted on one hospital's patients alone learns to distrust the contrasts between trials, and then
answers a case of which little is known as if it came from that hospital. Arms beside the patients, each with the
evidence as it stands *without its own trial family*, keep the weight of evidence honest where evidence is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.inputs import EvidenceInputs, Inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import Batch
    from models.inputs import FloatArray


@dataclass(frozen=True, eq=False)
class DescribedGroups:
    """Rows that stand for groups.

    Attributes
    ----------
    batch
        What is known of each group, as a case.
    rate, weight
        Shape (m,): response rate; how many patients the row counts for.
    groups
        Trial family of each row: never split over folds.
    held_out_evidence
        Shape (m,): evidence of each row from a fit without its trial family, log-odds.
    """

    batch: Batch
    rate: FloatArray
    weight: FloatArray
    groups: Sequence[str]
    held_out_evidence: FloatArray

    def weighing(self, patients: float) -> DescribedGroups:
        """Return the same groups with weights that sum to ``patients``."""
        return replace(self, weight=self.weight * (patients / float(self.weight.sum())))


def joined(patients: Inputs, groups: Inputs) -> Inputs:
    """Return the inputs of patients and, behind them, of described groups.

    Examples
    --------
    >>> joined(Inputs(np.zeros((2, 1))), Inputs(np.ones((1, 1)))).matrix.ravel().tolist()
    [0.0, 0.0, 1.0]
    """
    matrix = np.concatenate([patients.matrix, groups.matrix])
    if patients.evidence is None or groups.evidence is None:
        return Inputs(matrix)
    ours, theirs = patients.evidence, groups.evidence
    evidence = EvidenceInputs(
        np.concatenate([ours.log_odds, theirs.log_odds]),
        np.concatenate([ours.variance, theirs.variance]),
        np.concatenate([ours.covered, theirs.covered]),
        ours.part_names,
        np.concatenate([ours.parts, theirs.parts]),
    )
    return Inputs(matrix, evidence)
