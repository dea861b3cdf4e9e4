"""One case laid out once for several therapies: everything but the therapy is repeated as arrays, not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.batch import Batch, Coded, Findings, Priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.batch import FloatArray, IntArray


def side_by_side(one: Batch, therapies: Sequence[str]) -> Batch:
    """Return a batch that holds one case once per therapy, as if each had been laid out by itself.

    Parameters
    ----------
    one
        The batch of one case, whatever its therapy.
    therapies
        Regimen keys, all different.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> one = batch_of([read_case({"histology": "LUAD", "prior_lines": 2, "therapy": {"class": "pd1_pdl1"}})])
    >>> batch = side_by_side(one, ["osimertinib", "class:pd1_pdl1"])
    >>> batch.n, batch.numbers["prior_lines"].tolist(), batch.texts["therapy"].texts()
    (2, [2.0, 2.0], ['osimertinib', 'class:pd1_pdl1'])
    """
    n = len(therapies)
    texts = {path: Coded(np.repeat(coded.codes, n), coded.levels) for path, coded in one.texts.items()}
    return Batch(
        n=n,
        numbers={path: np.repeat(values, n) for path, values in one.numbers.items()},
        texts={**texts, "therapy": Coded.of(list(therapies))},
        findings=_findings(one.findings, n),
        findings_recorded=np.repeat(one.findings_recorded, n),
        other_findings=_findings(one.other_findings, n),
        priors=_priors(one.priors, n),
    )


def _rows(of_one: IntArray, n: int) -> IntArray:
    return np.repeat(np.arange(n, dtype=np.int64), len(of_one))


def _tiled(values: FloatArray, n: int) -> FloatArray:
    return np.tile(values, n)


def _findings(one: Findings, n: int) -> Findings:
    return Findings(
        _rows(one.row, n),
        np.tile(one.codes, n),
        one.levels,
        _tiled(one.vaf, n),
        _tiled(one.cancer_cell_fraction, n),
        _tiled(one.copies, n),
    )


def _priors(one: Priors, n: int) -> Priors:
    return Priors(
        row=_rows(one.row, n),
        regimen=Coded(np.tile(one.regimen.codes, n), one.regimen.levels),
        line=_tiled(one.line, n),
        setting=Coded(np.tile(one.setting.codes, n), one.setting.levels),
        best_response=Coded(np.tile(one.best_response.codes, n), one.best_response.levels),
        started_days=_tiled(one.started_days, n),
        ended_days=_tiled(one.ended_days, n),
        recorded=np.repeat(one.recorded, n),
    )
