"""The findings of a block as rows: planted markers in concrete notation, and passengers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.sources.synthetic.draft import stream
from features.sources.synthetic.genomics import distinct, passenger_levels, passengers
from features.sources.synthetic.masking import DETECTED_IN_BLOOD
from features.sources.synthetic.regimens import scenarios
from features.sources.synthetic.tissues import column, figure, markers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Draft
    from features.sources.synthetic.masking import Recorded

GERMLINE = "BRCA_GERMLINE"
BLOOD_DILUTION = 0.15
"""Allele fraction in blood over that in tissue (assumption)."""


@lru_cache(maxsize=1)
def levels() -> dict[str, pa.Array]:
    """Return every distinct finding, planted variants first, as columns of the table of alterations."""
    rows = figure("markers")
    planted = [
        (r["gene"], r["kind"], r["protein_change"], r["variant_classification"], r["partner"], r["level"],
         "germline" if r["marker"] == GERMLINE else "")
        for r in rows
    ]  # fmt: skip
    carried = [(gene, "mutation", change, kind, "", "", "") for gene, change, kind in passenger_levels()]
    names = ("gene", "kind", "protein_change", "variant_classification", "partner", "level", "origin")
    columns = zip(names, zip(*planted, *carried, strict=True), strict=True)
    return {name: pa.array([value or None for value in values], type=pa.string()) for name, values in columns}


@dataclass(frozen=True)
class Found:
    """Findings of one block: case, level (into :func:`levels`), marker (-1 for passengers) and what was measured."""

    row: IntArray
    level: IntArray
    marker: IntArray
    vaf: FloatArray
    copies: FloatArray

    def take(self, keep: NDArray[np.bool_] | IntArray) -> Found:
        """Return some of the findings."""
        return Found(self.row[keep], self.level[keep], self.marker[keep], self.vaf[keep], self.copies[keep])


def findings(draft: Draft, seed: int, block: int) -> Found:
    """Return all findings of a block's complete cases, those of a case together."""
    planted = _planted(draft, seed, block)
    row, level, vaf = passengers(draft, seed, block)
    keep = distinct(row, level)
    first_passenger = len(figure("markers"))
    carried = Found(
        row[keep],
        level[keep] + first_passenger,
        np.full(int(keep.sum()), -1),
        vaf[keep],
        np.full(int(keep.sum()), np.nan),
    )
    parts = [np.concatenate(pair) for pair in zip(vars(planted).values(), vars(carried).values(), strict=True)]
    return Found(*parts).take(np.argsort(parts[0], kind="stable"))


def _planted(draft: Draft, seed: int, block: int) -> Found:
    """Turn markers into variants: one per carried marker."""
    rng = stream(seed, draft.family, draft.cohort, block, "variants")
    row, marker = np.nonzero(draft.carries)
    known = markers()
    edges = np.full((len(known.names), int(known.count.max())), 2.0)
    for place, (first, count) in enumerate(zip(known.first, known.count, strict=True)):
        weights = known.weights[first : first + count]
        edges[place, :count] = np.cumsum(weights) / weights.sum()
    u = rng.random((3, len(row)))
    variant = np.minimum((u[0][:, None] >= edges[marker]).sum(axis=1), known.count[marker] - 1)
    level = known.first[marker] + variant
    rows = figure("markers")
    is_mutation = np.array([r["kind"] == "mutation" for r in rows])[level]
    copies = column(rows, "copies_mean")[level]
    vaf = np.round(np.clip(draft.numbers["specimen.tumor_purity"][row] * (0.3 + 0.4 * u[1]), 0.02, 0.95), 3)
    spread = np.exp(0.5 * (u[2] - 0.5) * np.sqrt(12))
    return Found(row, level, marker, np.where(is_mutation, vaf, np.nan), np.round(copies * spread, 1))


@lru_cache(maxsize=1)
def _sensitivity() -> FloatArray:
    kinds = levels()["kind"].to_pylist()
    return np.array([DETECTED_IN_BLOOD[kind] for kind in kinds])


def recorded_findings(draft: Draft, found: Found, recorded: Recorded, seed: int, block: int) -> Found:
    """Return the findings that a report would hold: less from blood, one marker where only that was tested.

    A finding that blood missed is left out, as reports do; that the case was tested in blood is in its specimen.
    """
    rng = stream(seed, draft.family, draft.cohort, block, "variants").spawn(1)[0]
    row, blood = found.row, draft.in_assays("blood")[found.row]
    seen = recorded.alterations[row] & (recorded.sheds[row] | ~_is_dna(found))
    seen &= ~blood | (rng.random(len(row)) < _sensitivity()[found.level])
    asked = scenarios().marker[draft.scenario] if draft.family == "targeted" else np.full(draft.n, -2)
    seen &= ~recorded.marker_only[row] | (found.marker == asked[row])
    kept = found.take(seen)
    diluted = np.where(blood[seen], np.round(kept.vaf * BLOOD_DILUTION, 4), kept.vaf)
    return Found(kept.row, kept.level, kept.marker, diluted, kept.copies)


def _is_dna(found: Found) -> NDArray[np.bool_]:
    return np.array([kind != "expression" for kind in levels()["kind"].to_pylist()])[found.level]
