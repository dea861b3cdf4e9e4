"""Responders of n, with exact intervals, and two-way tables of a finding against response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.stats import beta, fisher_exact

from features.driver_classes import read
from features.errors import Refusal
from features.finding_levels import genes_tested_by
from features.matching import covers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray
    from features.case import Alteration
    from features.cohort import Cohort

    Truths = NDArray[np.bool_]

CONFIDENCE = 0.95
SILENT = frozenset({"silent", "synonymous", "synonymous_variant", "synonymous_mutation"})
"""Spellings of a call that changes no amino acid (MAF ``Variant_Classification``, Sequence Ontology)."""

Calls = Literal["any", "nonsynonymous"]


@dataclass(frozen=True)
class Share:
    """Responders of n with the exact (Clopper-Pearson) 95% interval; none of none has no interval.

    Examples
    --------
    >>> Share(2, 23).text
    '2/23 (8.7%, 1.1 to 28.0)'
    """

    responders: int
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends as fractions; Clopper and Pearson, Biometrika 1934."""
        if self.n == 0:
            return None
        tail = (1 - CONFIDENCE) / 2
        low = beta.ppf(tail, self.responders, self.n - self.responders + 1) if self.responders else 0.0
        high = beta.ppf(1 - tail, self.responders + 1, self.n - self.responders) if self.responders < self.n else 1.0
        return float(low), float(high)

    @property
    def text(self) -> str:
        """As a table prints it."""
        if self.interval is None:
            return "0/0"
        low, high = self.interval
        return (
            f"{self.responders}/{self.n} ({100 * self.responders / self.n:.1f}%, {100 * low:.1f} to {100 * high:.1f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        ends = None if self.interval is None else [round(end, 6) for end in self.interval]
        return {"responders": self.responders, "n": self.n, "interval95": ends}


def share_of(response: FloatArray, chosen: Truths | None = None) -> Share:
    """Count responders among the chosen cases whose response is known."""
    values = response if chosen is None else response[chosen]
    known = values[~np.isnan(values)]
    return Share(int(known.sum()), len(known))


@dataclass(frozen=True)
class TwoWay:
    """A finding against response in one arm, among cases that were tested for it and are evaluable.

    ``fisher_p`` is two-sided (Fisher's exact test), without any correction for several tables.
    """

    therapy: str
    finding: str
    with_it: Share
    without: Share
    fisher_p: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "therapy": self.therapy,
            "finding": self.finding,
            "with": self.with_it.to_dict(),
            "without": self.without.to_dict(),
            "fisher_p": round(self.fisher_p, 6),
        }


def is_silent(alteration: Alteration) -> bool:
    """Say whether a call changes no amino acid, by its class."""
    return (alteration.variant_classification or "").lower() in SILENT


def has_finding(batch: Batch, wanted: Callable[[Alteration], bool]) -> Truths:
    """Say for each case whether one of its present findings is wanted; asked once per distinct finding."""
    found = batch.findings
    levels = np.array([level.status == "present" and wanted(level) for level in found.levels], dtype=np.bool_)
    has = np.zeros(batch.n, dtype=np.bool_)
    if len(levels):
        has[found.row[levels[found.codes]]] = True
    return has


def was_tested(batch: Batch, gene: str) -> Truths:
    """Say for each case whether its assay tested a gene: by the genes listed, else by the panel.

    Where neither is known, a case with a list of findings counts as tested: the table is descriptive, and says so.
    """
    listed, panels = batch.texts["assay.genes_tested"].texts(), batch.texts["assay.panel"].texts()
    known = {key: genes_tested_by(*key) for key in set(zip(listed, panels, strict=True))}
    tested = [
        True if (genes := known[key]) is None else covers(genes, gene) for key in zip(listed, panels, strict=True)
    ]
    return np.array(tested, dtype=np.bool_) & batch.findings_recorded


def two_way(
    cohort: Cohort,
    findings: Sequence[str],
    calls: Calls = "any",
    specimen: str | None = None,
    not_evaluable: bool = False,
) -> list[TwoWay]:
    """Tabulate findings against response, arm by arm.

    Parameters
    ----------
    findings
        Gene symbols (``STK11``) or driver classes (``ERBB2_S310``); a class is tested where its gene is.
    calls
        ``any`` counts every call in the gene, synonymous ones too, as the published OAK figures do.
    specimen
        ``tissue`` or ``blood``: only cases whose current specimen is that.
    not_evaluable
        Whether NE counts as no response; without it the table is of evaluable cases.
    """
    batch = cohort.batch()
    response = cohort.response if not_evaluable else cohort.response_if_evaluable
    chosen = ~np.isnan(response)
    if specimen is not None:
        chosen &= np.array([source == specimen for source in batch.texts["specimen.source"].texts()], dtype=np.bool_)
    therapies = np.array(batch.texts["therapy"].texts(), dtype=object)
    rows = []
    for therapy in sorted(set(therapies.tolist())):
        for finding in findings:
            arm = chosen & (therapies == therapy) & was_tested(batch, finding.split("_")[0])
            has = has_finding(batch, _wanted(finding, calls))
            rows.append(_row(str(therapy), finding, response, arm & has, arm & ~has))
    return rows


def _wanted(finding: str, calls: Calls) -> Callable[[Alteration], bool]:
    def wanted(alteration: Alteration) -> bool:
        if calls == "nonsynonymous" and is_silent(alteration):
            return False
        return alteration.gene == finding or finding in read(alteration).classes

    return wanted


def _row(therapy: str, finding: str, response: FloatArray, has: Truths, lacks: Truths) -> TwoWay:
    one, other = share_of(response, has), share_of(response, lacks)
    table = [[share.responders, share.n - share.responders] for share in (one, other)]
    return TwoWay(therapy, finding, one, other, float(fisher_exact(table).pvalue))


class UnknownCalls(Refusal):
    """A word for which calls count that is neither ``any`` nor ``nonsynonymous``."""

    code = "unknown_calls"


def check_calls(calls: str) -> Calls:
    """Return the word, or refuse it.

    Examples
    --------
    >>> check_calls("any")
    'any'
    """
    choices: tuple[Calls, ...] = ("any", "nonsynonymous")
    for choice in choices:
        if calls == choice:
            return choice
    raise UnknownCalls(f"{calls!r} is not a choice", field="calls", allowed=choices)
