"""Do contributions follow the terms that synthetic cases were drawn with? Rank correlation, group by group.

Like with like. The generator sums eight groups, and its ``evidence`` is the level of a cell (tissue, class, marker).
Ours holds all that published arms say: of histology, therapy and alterations, and of line, burden, mismatch repair and
PD-L1 too, which the generator counts under those. So both are shared out:

* theirs by :mod:`features.sources.synthetic.evidence_parts`, weighted main effects of the cells; what they leave over
  goes to the therapy (checkpoint) or the alterations (targeted);
* ours by the kind of each term (:data:`GROUP_OF_KIND`), exactly: the parts sum to the evidence.

In the targeted family therapy and alteration are one group: a BRAF inhibitor is given for BRAF, and no cohort tells the
two apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from models.inputs import FloatArray
    from models.response import Answers

GROUP_OF_KIND = {
    "histology": "histology",
    **dict.fromkeys(("class", "agent", "target", "mechanism", "design", "therapy_x_histology"), "therapy"),
    **dict.fromkeys(("match", "kind", "dose", "gene", "alteration", "co_mutation", "resistance"), "alterations"),
    **dict.fromkeys(("therapy_x_alteration", "alteration_x_histology"), "alterations"),
    **dict.fromkeys(("line", "line_x_histology", "prior"), "prior_lines"),
}
"""Where the generator counts what a kind of evidence term says; biomarkers go by their name."""

BIOMARKERS = {"mmr": "mmr", "tmb": "tmb", "pdl1": "patient"}

OF_CELLS = ("histology", "therapy", "alterations")
"""Groups that share the level of the generator's cells."""

TOGETHER = {"checkpoint": (), "targeted": ("therapy", "alterations")}
"""Groups that nothing tells apart in a family."""

GROUPS = ("histology", "therapy", "alterations", "tmb", "mmr", "prior_lines", "patient")

VARIES = 1e-9
"""Standard deviation in log-odds from which a group varies."""


class Agreement(NamedTuple):
    """Spearman's and Pearson's correlation of a group's contributions with its true terms."""

    rank: float
    linear: float


def group_of(term: str) -> str | None:
    """Return the group that an evidence term is counted under; None for the constant and how an arm was reported.

    Examples
    --------
    >>> group_of("biomarker:tmb high"), group_of("line_x_histology:later in LUNG"), group_of("base:all")
    ('tmb', 'prior_lines', None)
    """
    kind, _, name = term.partition(":")
    return BIOMARKERS[name.split()[0]] if kind.startswith("biomarker") else GROUP_OF_KIND.get(kind)


def shared_out(answers: Answers) -> dict[str, FloatArray]:
    """Return contributions by group, each of shape (n,), the evidence shared out by the kind of its terms."""
    model, scores = answers.model, answers.scores
    evidence: Any = model.evidence
    weight = (model.terms.evidence_weight or 0.0) * model.calibration.a
    found = {group: np.zeros(answers.n) for group in GROUPS}
    for place, group in enumerate(model.feature_groups):
        if group != "evidence":
            found[group] = found[group] + scores.phi[:, place]
    for row in range(answers.n if evidence is not None else 0):
        for term, _, log_odds in evidence.terms(answers.batch, row):
            if (where := group_of(term)) is not None:
                found[where][row] += weight * log_odds
    return found


def true_terms(truth: pa.Table) -> dict[str, FloatArray]:
    """Return the true terms by group, each of shape (n,), the evidence shared out."""
    column = {name: truth.column(name).to_numpy() for name in truth.column_names if name != "case_id"}
    return {group: column[group] + column.get(f"evidence_{group}", 0.0) for group in GROUPS}


def agreement(family: str, answers: Answers, truth: pa.Table) -> Mapping[str, Agreement]:
    """Return how contributions agree with true terms, for every group that varies in both.

    Parameters
    ----------
    family
        ``checkpoint`` or ``targeted``.
    answers
        Of synthetic cases.
    truth
        The cohort's table of truths, in the same order.
    """
    theirs, said = true_terms(truth), shared_out(answers)
    if both := TOGETHER[family]:
        name = " and ".join(both)
        for terms in (theirs, said):
            terms[name] = np.sum([terms.pop(group) for group in both], axis=0)
    return {
        group: Agreement(float(spearmanr(said[group], true)[0]), float(np.corrcoef(said[group], true)[0, 1]))
        for group, true in theirs.items()
        if true.std() > VARIES and said[group].std() > VARIES
    }
