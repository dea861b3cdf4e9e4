"""A granule of scored cases as the columns of the output: one row per case, in input order, the refused among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from features.contract import GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import FloatArray
    from features.errors import InvalidCase
    from features.flat_batch import FlatBatch, Part
    from models.response import Answers, ResponseModel

Contributions = Literal["all", "grouped", "none"]

NUMBERS = ("probability", "interval_low", "interval_high", "log_odds", "base_log_odds")
STATUSES = ("predicted", "abstained", "refused")


@dataclass
class _Rows:
    """Columns that are being filled, NaN where a case has no number."""

    numbers: FloatArray
    status: np.ndarray[tuple[int], np.dtype[np.int8]]
    reasons: list[str]


def names_of(model: ResponseModel, contributions: Contributions) -> list[str]:
    """Return the names of the columns of numbers."""
    if contributions == "none":
        return list(NUMBERS)
    if contributions == "grouped":
        return [*NUMBERS, *(f"group:{name}" for name in GROUPS)]
    return [*NUMBERS, *(f"phi:{name}" for name in model.feature_names)]


def scored_table(flat: FlatBatch, model: ResponseModel, contributions: Contributions) -> pa.Table:
    """Score the cases of a granule.

    ``case_id, status, reasons`` (codes joined by ``;``), ``probability, interval_low, interval_high, log_odds,
    base_log_odds`` and one ``phi:<feature>`` or ``group:<group>`` column each. Numbers are null unless the status is
    ``predicted``; the base, which is the model's own, is null for refused rows alone.
    """
    names = names_of(model, contributions)
    rows = _Rows(np.full((len(names), flat.n), np.nan), np.full(flat.n, 2, dtype=np.int8), [""] * flat.n)
    for part in flat.parts:
        _fill(rows, part, model.answers(part.batch), contributions)
    for row, refusal in flat.refused.items():
        rows.reasons[row] = codes_of(refusal)
    status = pa.DictionaryArray.from_arrays(pa.array(rows.status), pa.array(STATUSES)).cast(pa.string())
    columns = [pa.array(flat.case_ids, pa.string()), status, pa.array(rows.reasons, pa.string())]
    numbers = [pa.array(values, pa.float64(), from_pandas=True) for values in rows.numbers]
    return pa.table([*columns, *numbers], names=["case_id", "status", "reasons", *names])


def codes_of(refusal: InvalidCase) -> str:
    """Return the codes of all that is wrong with a case, in field order."""
    return ";".join(problem.code for problem in refusal.problems)


def _fill(rows: _Rows, part: Part, answers: Answers, contributions: Contributions) -> None:
    scores, answered = answers.scores, answers.answered
    here, shown = part.rows, part.rows[answered]
    rows.status[here] = np.where(answered, 0, 1)
    for place, values in enumerate((scores.probability, scores.low, scores.high, scores.log_odds)):
        rows.numbers[place, shown] = values[answered]
    rows.numbers[4, here] = scores.base
    if contributions != "none":
        explained = scores.phi if contributions == "all" else grouped(scores.phi, answers.model.feature_groups)
        rows.numbers[len(NUMBERS) :, shown] = explained[answered].T
    for place in np.flatnonzero(~answered).tolist():
        rows.reasons[here[place]] = ";".join(answers.reason_codes(place))


def grouped(phi: FloatArray, groups: Sequence[str]) -> FloatArray:
    """Return contributions summed by group, shape (n, 8), features added in their order.

    Examples
    --------
    >>> grouped(np.array([[1.0, 2.0, 4.0]]), ["evidence", "patient", "patient"]).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0]]
    """
    sums = np.zeros((len(phi), len(GROUPS)))
    for feature, group in enumerate(groups):
        sums[:, GROUPS.index(group)] += phi[:, feature]
    return sums
