"""Prior lines: how much treatment came before the index date, of which classes, and what the last one did.

Unknown is never zero: each column is NaN until the case says enough, and a patient said to be untreated is told apart
from one whose history is not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features.contract import Column
from features.last_regimen import RANK
from features.prior_history import History, history_of, history_of_case
from features.prior_lines_shown import shown_history
from features.prior_lines_warnings import history_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group, Shown

MOST_LINES = 4
"""Lines beyond this count as this many: published arms tell 0, 1 and 2 or more apart, and few patients have more."""

MOST_DAYS = 365.0
"""Days since the last regimen beyond this count as this many; so does never having had one."""

LORIS = "doi:10.1038/s43018-024-00772-7"
FEWER_ANSWER = f"{LORIS}; published arms kn086_B against kn086_A, geometry_naive against geometry_pre"
AFTER_THE_SAME = "published arms lor_exp1 against lor_exp23A, repo_naive against repo_pre"
AFTER_AS_NEW = "published arms lor_exp23A against lor_exp3B (PMID:30413378)"

_CHECKPOINT, _TARGETED = ("checkpoint",), ("targeted",)


def _column(name: str, feature: str = "", unit: str = "flag", **rest: Any) -> Column:
    return Column(name, feature or name, "prior_lines", unit, missing="indicator", **rest)


COLUMNS = (
    _column("prior_systemic_therapy", expected_sign=-1, sign_source=FEWER_ANSWER),
    _column("prior_lines", unit="lines", expected_sign=-1, sign_source=FEWER_ANSWER),
    _column("prior_checkpoint"),
    _column("prior_ctla4", families=_CHECKPOINT),
    _column("prior_targeted"),
    _column("prior_platinum"),
    _column("same_class_before", expected_sign=-1, sign_source=AFTER_THE_SAME),
    _column("same_generation_before", expected_sign=-1, sign_source=AFTER_AS_NEW, families=_TARGETED),
    _column("last_response_objective", "last_response"),
    _column("last_response_progression", "last_response"),
    _column("days_since_last_therapy", unit="d"),
)
"""Signs without a source are 0: CTLA-4 or platinum before may select either way, and so may a long interval."""


@dataclass(frozen=True)
class PriorLinesBuilder:
    """Treatment before the index date. Learns nothing.

    ``prior_lines`` is the number in the metastatic setting, capped at 4: as given, else as stated in the list, else
    derived (:mod:`features.line_derivation`). An untreated patient has no last response (both flags 0) and the
    longest interval (365 days); ``prior_systemic_therapy`` tells that case apart.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> batch = batch_of([read_case({"histology": "LUAD", "prior_lines": 6, "therapy": {"class": "pd1_pdl1"}})])
    >>> PriorLinesBuilder().build(batch)[0, :3].tolist()
    [1.0, 4.0, nan]
    """

    name: ClassVar[str] = "prior_lines"
    group: ClassVar[Group] = "prior_lines"

    def columns(self) -> tuple[Column, ...]:
        """Return the contract of the eleven columns."""
        return COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, 11); NaN where unknown."""
        return columns_of(history_of(batch))

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the features of one case in words, with where each comes from."""
        return shown_history(*history_of_case(batch, row))

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Return what the fields of one case say against each other."""
        return history_warnings(float(batch.numbers["prior_lines"][row]), *history_of_case(batch, row))

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


def columns_of(history: History) -> FloatArray:
    """Return the columns of a history, in the order of :data:`COLUMNS`."""
    untreated = history.any_before == 0
    block = np.empty((untreated.size, len(COLUMNS)))
    block[:, 0] = history.any_before
    block[:, 1] = np.minimum(history.lines.number, MOST_LINES)
    block[:, 2:8] = history.classes
    rank = history.last.response_rank
    known = untreated | ~np.isnan(rank)
    block[:, 8] = np.where(known, rank >= RANK["PR"], np.nan)
    block[:, 9] = np.where(known, rank == RANK["PD"], np.nan)
    block[:, 10] = np.where(untreated, MOST_DAYS, np.minimum(history.last.days_since_end, MOST_DAYS))
    return block
