"""The evidence of a cell split into what histology, therapy and alterations would explain of it.

A model that is fitted without published arms finds the whole of it in those three groups; to judge its contributions,
each of them is compared with its own true term plus its part here. The split is the weighted main effects of the
cells; what they leave over goes to the therapy (checkpoint) or to the alterations (targeted: therapy meets marker).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from features.sources.synthetic.base_rates import offsets
from features.sources.synthetic.regimens import cells
from features.sources.synthetic.tissues import figure, histologies

if TYPE_CHECKING:
    from features.batch import FloatArray
    from features.sources.synthetic.draft import Draft, Family

PARTS = ("evidence_histology", "evidence_therapy", "evidence_alterations")
RIDGE = 1e-3
"""Keeps the main effects unique where two tables name the same cells."""


@cache
def _labels(family: Family) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return tissue, class and marker of every cell; blank where a cell is of all tissues."""
    classes = tuple(cell.regimen_class for cell in cells(family))
    if family == "checkpoint":
        return tuple(row["tissue"] for row in figure("base_rates_checkpoint")), classes, ("",) * len(classes)
    known = histologies()
    rows = figure("base_rates_targeted")
    first = [known.at(row["histologies"].split(":")[0]) for row in rows]
    blank = ("",) * (len(classes) - len(rows))
    tissues = tuple(known.tissues[known.tissue_of[place]] for place in first)
    return (*tissues, *blank), classes, (*(row["marker"] for row in rows), *("UNMATCHED" for _ in blank))


@cache
def by_cell(family: Family) -> FloatArray:
    """Return the three parts of every cell, shape (cells, 3); each row sums to the cell's log-odds.

    Examples
    --------
    >>> by_cell("checkpoint").shape[1]
    3
    """
    total = np.array([offsets(family)[cell.key] for cell in cells(family)])
    designs = [_design(labels) for labels in _labels(family)]
    whole = np.hstack(designs)
    gram = whole.T @ whole + RIDGE * np.eye(whole.shape[1])
    effects = np.split(np.linalg.solve(gram, whole.T @ total), np.cumsum([d.shape[1] for d in designs])[:-1])
    parts = np.stack([design @ effect for design, effect in zip(designs, effects, strict=True)], axis=1)
    parts[:, 1 if family == "checkpoint" else 2] += total - parts.sum(axis=1)
    return parts


def _design(labels: tuple[str, ...]) -> FloatArray:
    names = sorted(set(labels) - {""})
    return np.array([[label == name for name in names] for label in labels], dtype=np.float64).reshape(len(labels), -1)


def evidence_parts(draft: Draft) -> dict[str, FloatArray]:
    """Return the parts of a block's evidence; they sum to its ``evidence`` term."""
    parts = by_cell(draft.family)[draft.numbers["cell"].astype(np.int64)]
    return {name: parts[:, place] for place, name in enumerate(PARTS)}
