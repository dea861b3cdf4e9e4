"""What is known of treatment before the index date, for every case of a batch at once.

Three fields speak of it (``prior_systemic_therapy``, ``prior_lines``, ``prior_therapies``) and each may be absent. They
are read together here, once, so that columns, words and warnings agree:

* any systemic therapy before: yes when the list holds one, when lines are more than 0 or when it is said so; no when
  it is said so, when lines are 0, or when a list was given and holds none; else unknown;
* a list is *complete* when it was given, holds at least as many systemic regimens as there were lines, and is not
  empty although treatment was said to have been given; only from a complete list follows that something was not given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.last_regimen import LastRegimen, last_regimen
from features.line_derivation import Counted, Lines, counted, lines_before
from features.prior_classes import classes_before

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray, Priors


@dataclass(frozen=True, slots=True)
class History:
    """Treatment before the index date; every array is about n cases.

    Attributes
    ----------
    any_before
        1, 0 or NaN: any systemic therapy before, in any setting.
    lines
        Lines in the metastatic setting and their source.
    classes
        Shape (n, 6): the facts of :data:`features.prior_classes.FACTS`, 1, 0 or NaN.
    last
        Response to the last regimen and days since; NaN where unknown *or where there was none*.
    listed
        What the listed regimens count as.
    complete
        Whether the list of prior therapies can be taken for complete.
    """

    any_before: FloatArray
    lines: Lines
    classes: FloatArray
    last: LastRegimen
    listed: Counted
    complete: NDArray[np.bool_]


def history_of(batch: Batch) -> History:
    """Read the three fields of all cases together."""
    return batch.reading("history", _history)


def history_of_case(batch: Batch, row: int) -> tuple[Priors, History]:
    """Return the listed regimens and the history of one case, as those of case 0."""
    near, place = batch.near(row)
    found, case = history_of(near), slice(place, place + 1)
    listed = slice(*np.searchsorted(near.priors.row, (place, place + 1)).tolist())
    of_case = History(
        found.any_before[case],
        Lines(found.lines.number[case], found.lines.source[case]),
        found.classes[case],
        LastRegimen(found.last.response_rank[case], found.last.days_since_end[case]),
        Counted(
            found.listed.systemic[listed],
            found.listed.metastatic[listed],
            found.listed.systemic_of_case[case],
            found.listed.metastatic_of_case[case],
        ),
        found.complete[case],
    )
    return near.priors.only(place), of_case


def _history(batch: Batch) -> History:
    listed, any_before, complete = _read_together(batch)
    return History(
        any_before,
        lines_before(batch, listed, complete),
        classes_before(batch, complete, any_before == 0),
        last_regimen(batch.priors, listed, batch.n),
        listed,
        complete,
    )


def lines_of(batch: Batch) -> FloatArray:
    """Return the number of lines of each case as the builder reads it, shape (n,); NaN where unknown.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> before = [{"agents": ["carboplatin"], "line": 1}, {"agents": ["docetaxel"], "line": 2}]
    >>> case = {"histology": "LUAD", "prior_therapies": before, "therapy": {"class": "pd1_pdl1"}}
    >>> lines_of(batch_of([read_case(case)])).tolist()
    [2.0]
    """
    listed, _, complete = _read_together(batch)
    return lines_before(batch, listed, complete).number


def _read_together(batch: Batch) -> tuple[Counted, FloatArray, NDArray[np.bool_]]:
    """Return the listed regimens, whether any treatment came before (1, 0, NaN), and which lists are complete."""
    listed = counted(batch.priors, batch.n)
    said, lines = batch.numbers["prior_systemic_therapy"], batch.numbers["prior_lines"]
    some = listed.systemic_of_case > 0
    yes = some | (lines > 0) | (said == 1)
    recorded = batch.priors.recorded
    no = (said == 0) | (lines == 0) | recorded
    any_before = np.where(yes, 1.0, np.where(no, 0.0, np.nan))
    complete = recorded & (listed.systemic_of_case >= np.fmax(lines, 0.0)) & (some | ~yes)
    return listed, any_before, complete
