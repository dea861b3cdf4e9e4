"""The settings of many cases at once: what evidence looks at beside the findings, distinct combinations looked at once.

A case's profile without its findings has two halves: where a regimen is given (histology, regimen, line, what was given
before) and the biomarkers (mismatch repair, TMB, PD-L1). Both are few, so they are found by codes and not case by case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from features.evidence_profile import (
    LINES,
    MMR_LEVELS,
    PDL1_LEVELS,
    TMB_HEIGHTS,
    Profile,
    line_level,
    mmr_level,
    never_treated,
    pdl1_level,
    tmb_level,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.batch import Batch, Coded, IntArray


class Markers(NamedTuple):
    """Levels of mismatch repair, TMB and PD-L1; None is unknown."""

    mmr: str | None
    tmb: float | None
    pdl1: str | None


class Settings(NamedTuple):
    """Settings of a batch.

    Attributes
    ----------
    places
        Distinct profiles without findings and biomarkers, in the order of their first appearance.
    of_place
        Shape (n,): the place of each case's own among them.
    markers, of_markers
        The same for the biomarkers.
    """

    places: list[Profile]
    of_place: IntArray
    markers: list[Markers]
    of_markers: IntArray


def distinct(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first row of each distinct code, in the order of appearance, and each row's place among them.

    Examples
    --------
    >>> [found.tolist() for found in distinct(np.array([7, 3, 7]))]
    [[0, 1], [0, 1, 0]]
    """
    _, first, where = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[where]


def settings_of(batch: Batch, reduced: Callable[[Profile], Profile]) -> Settings:
    """Return the settings of a batch.

    Parameters
    ----------
    batch
        The cases; their findings are not looked at.
    reduced
        Takes from a profile what is not asked for; profiles that are then the same are one.
    """
    histology, therapy = batch.texts["histology"], batch.texts["therapy"]
    before, of_before = _before(batch)
    lines = line_level(batch)
    key = (histology.codes + 1) * (len(therapy.levels) + 1) + therapy.codes + 1
    first, where = distinct((key * len(LINES) + lines) * len(before) + of_before)
    places: dict[Profile, int] = {}
    at = []
    for row in first.tolist():
        here, given = (_text(column, row) for column in (histology, therapy))
        whole = Profile(here, given, line=LINES[lines[row]], prior=before[of_before[row]])
        at.append(places.setdefault(reduced(whole), len(places)))
    mmr, tmb, pdl1 = mmr_level(batch), tmb_level(batch), pdl1_level(batch)
    row_of, of_markers = distinct((mmr * len(TMB_HEIGHTS) + tmb) * len(PDL1_LEVELS) + pdl1)
    markers = [Markers(MMR_LEVELS[mmr[i]], TMB_HEIGHTS[tmb[i]], PDL1_LEVELS[pdl1[i]]) for i in row_of.tolist()]
    return Settings(list(places), np.array(at, dtype=np.int64)[where], markers, of_markers)


def _text(column: Coded, row: int) -> str:
    code = int(column.codes[row])
    return column.levels[code] if code >= 0 else ""


def _before(batch: Batch) -> tuple[list[tuple[str, ...] | None], IntArray]:
    """Return the distinct sorted lists of regimens given before, and each case's place; one alone is a level."""
    priors = batch.priors
    listed, levels = np.bincount(priors.row, minlength=batch.n), priors.regimen.levels
    seen: dict[tuple[str, ...] | None, int] = {None: 0, (): 1}
    said = priors.recorded | never_treated(batch)
    codes = np.ones(batch.n, dtype=np.int64)
    alone = np.array([seen.setdefault((name,), len(seen)) for name in levels], dtype=np.int64)
    single = listed[priors.row] == 1
    codes[priors.row[single]] = alone[priors.regimen.codes[single]]
    several: dict[int, list[str]] = {}
    for row, code in zip(priors.row[~single].tolist(), priors.regimen.codes[~single].tolist(), strict=True):
        several.setdefault(row, []).append(levels[code])
    for row, names in several.items():
        codes[row] = seen.setdefault(tuple(sorted(names)), len(seen))
    codes[~said] = 0
    return list(seen), codes
