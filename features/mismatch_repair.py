"""Mismatch repair: IHC, PCR, NGS and a reported status become one status; conflicts are kept and shown.

Rules
-----
- IHC by protein: any loss is deficient; MSH6 and PMS2 both retained is proficient, since either is lost with its
  partner (the two-antibody panel: Shia 2009, Am J Surg Pathol 33:1639); anything else is undecided.
- MSI-H is deficient, MSS and MSI-L are proficient (revised Bethesda guidelines, PMID 14970275).
- An MSIsensor score of 10 or more is MSI-H, below 3 is MSS, between is undecided (MSIsensor, PMID 24371154;
  Middha 2017, doi 10.1200/PO.17.00084).
- IHC, PCR and NGS have one vote each; a method that contradicts itself has none. The majority decides; a tie is
  unknown, since a wrong deficient status is a known cause of primary resistance (Cohen 2019, PMID 30452494).
- A status whose method is not recorded counts only when no method decides: it may be one of the tests above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features.contract import Column, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group

SCORE_HIGH = 10.0
"""MSIsensor score (percent of loci unstable) from which a tumour is MSI-H; Middha 2017, doi 10.1200/PO.17.00084."""
SCORE_STABLE = 3.0
"""MSIsensor score below which a tumour is MSS; between the two it is indeterminate (same source)."""

SIGN_SOURCE = "PMID 26028255"
"""Le 2015: response to pembrolizumab in 40% of deficient and 0% of proficient colorectal cancer."""

_VOTES: dict[str, float] = {
    "deficient": 1,
    "proficient": -1,
    "MSI-H": 1,
    "MSI-L": -1,
    "MSS": -1,
    "lost": 1,
    "retained": -1,
}
"""Vote of a result; what is not here (equivocal, indeterminate) has none."""

PROTEINS = ("MLH1", "MSH2", "MSH6", "PMS2")
_DECIDING = (2, 3)
"""MSH6 and PMS2 in :data:`PROTEINS`."""
_METHODS = {"IHC": "mmr.ihc", "PCR": "mmr.msi_pcr", "NGS": "mmr.msi_ngs", "reported": "mmr.reported"}
_STAINS = {f"IHC {protein}": f"mmr.ihc_proteins.{protein}" for protein in PROTEINS}

_COLUMNS = (
    Column(
        "mmr_deficient",
        "mmr_deficient",
        "mmr",
        expected_sign=1,
        sign_source=SIGN_SOURCE,
        missing="indicator",
        families=("checkpoint",),
    ),
    Column("mmr_conflict", "mmr_conflict", "mmr", families=("checkpoint",)),
)


@dataclass(frozen=True, slots=True)
class Votes:
    """What every test says: 1 deficient, -1 proficient, 0 undecided or not done.

    Attributes
    ----------
    first
        Shape (3, n): IHC summary, NGS call, PCR.
    second
        Shape (2, n): what the same IHC and NGS say by protein and by score.
    reported
        Shape (n,): the status whose method is not recorded.
    """

    first: FloatArray
    second: FloatArray
    reported: FloatArray


@dataclass(frozen=True, slots=True)
class Status:
    """The one status: ``deficient`` is 1, 0 or NaN; ``conflict`` says that two tests disagree; ``methods`` agree."""

    deficient: FloatArray
    conflict: FloatArray
    methods: FloatArray


def votes_of(batch: Batch) -> Votes:
    """Read every test of mismatch repair in a batch."""
    second = np.zeros((2, batch.n))
    if any(batch.texts[path].levels for path in _STAINS.values()):
        stained = np.array([_vote_of(batch, path) for path in _STAINS.values()])
        retained = (stained[_DECIDING[0]] < 0) & (stained[_DECIDING[1]] < 0)
        second[0] = np.where((stained > 0).any(axis=0), 1.0, np.where(retained, -1.0, 0.0))
    score = batch.numbers["mmr.msi_ngs_score"]
    np.subtract(score >= SCORE_HIGH, score < SCORE_STABLE, out=second[1], dtype=np.float64)
    first = np.array([_vote_of(batch, _METHODS[name]) for name in ("IHC", "NGS", "PCR")])
    return Votes(first, second, _vote_of(batch, _METHODS["reported"]))


def _vote_of(batch: Batch, path: str) -> FloatArray:
    coded = batch.texts[path]
    if not coded.levels:
        return np.zeros(batch.n)
    return coded.gather(lambda level: _VOTES.get(level, 0.0), unknown=0.0)


def status_in(batch: Batch) -> Status:
    """Return the status of each case of a batch; see :func:`status_of`."""
    return batch.reading("mismatch repair", lambda one: status_of(votes_of(one)))


def status_of(votes: Votes) -> Status:
    """Decide: majority of IHC, PCR and NGS; the reported status where none of them decides; a tie is unknown.

    IHC and NGS are told twice; a method that contradicts itself has no vote.
    """
    each = votes.first.copy()
    told_twice = each[:2]
    conflict = (told_twice * votes.second < 0).any(axis=0)
    np.sign(told_twice + votes.second, out=told_twice)
    total = each.sum(axis=0)
    voting = np.abs(each).sum(axis=0)
    methods = np.abs(total)
    conflict |= (methods < voting) | (total * votes.reported < 0)
    decided = np.sign(np.where(voting > 0, total, votes.reported))
    return Status(_DEFICIENT[decided.astype(np.int64)], conflict.astype(np.float64), methods)


_DEFICIENT = np.array([np.nan, 1.0, 0.0])
"""By the sign of the decision: 0, 1 and (from the end) -1."""


@dataclass(frozen=True)
class MismatchRepairBuilder:
    """Mismatch-repair status and whether its tests disagree.

    Unknown (no test, undecided or a tie) is NaN, never proficient. Learns nothing.
    """

    name: ClassVar[str] = "mismatch_repair"
    group: ClassVar[Group] = "mmr"

    def columns(self) -> tuple[Column, ...]:
        """Return the status and the conflict."""
        return _COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the two columns, shape (n, 2)."""
        status = status_in(batch)
        return np.array((status.deficient, status.conflict)).T.copy()

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the status with its confidence and every test behind it."""
        status = status_in(batch)
        deficient, conflict = status.deficient[row], bool(status.conflict[row])
        tests = _tests(batch, row)
        value = None if np.isnan(deficient) else "deficient" if deficient else "proficient"
        text = f"MMR {value or ('undecided' if tests else 'not known')}" + (f" ({tests})" if tests else "")
        unsure = _unsure(value, conflict, status.methods[row])
        said = f"conflicting MMR tests ({tests})" if conflict else "no conflicting MMR tests"
        return (
            Shown("mmr_deficient", "mmr", value, "", text, (SIGN_SOURCE,), (unsure,) if unsure else ()),
            Shown("mmr_conflict", "mmr", conflict, "", said),
        )

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Warn when two tests disagree."""
        status = status_in(batch)
        if not status.conflict[row]:
            return ()
        outcome = "the status is unknown" if np.isnan(status.deficient[row]) else "the majority decides"
        return (f"mmr_conflict: {_tests(batch, row)}; {outcome}",)

    def fit(self, batch: Batch) -> Self:  # noqa: ARG002 - nothing is learned
        """Return itself: nothing is learned."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return nothing: the rules are in the code."""
        return {}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:  # noqa: ARG003 - nothing is learned
        """Return the builder."""
        return cls()


def _unsure(value: str | None, conflict: bool, methods: float) -> str:
    """Say how sure the status is; nothing where two or more methods agree."""
    if value is None:
        return "mismatch-repair status undecided: it decides most where it is deficient"
    if conflict:
        return "low confidence: tests disagree"
    if methods < 1:
        return "low confidence: the method is not recorded"
    return "" if methods > 1 else "moderate confidence: one method"


def _tests(batch: Batch, row: int) -> str:
    """Name every result of a case: ``IHC deficient, PCR MSS``."""
    found = []
    for name, path in ({"IHC": _METHODS["IHC"]} | _STAINS | _METHODS).items():
        coded = batch.texts[path]
        if coded.codes[row] >= 0:
            found.append(f"{name} {coded.levels[coded.codes[row]]}")
    score = batch.numbers["mmr.msi_ngs_score"][row]
    return ", ".join(found + ([] if np.isnan(score) else [f"NGS score {score:g}"]))
