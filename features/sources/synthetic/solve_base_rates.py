"""Offsets that make the published response rates come out.

A published rate is the mean over patients who differ in all else. So the log-odds of a therapy in its setting is
solved, once, over a large pilot draw of the patients that the rate is of (its line, its mismatch repair, no earlier
therapy of the class), and stored in ``figures/offsets.csv``. ``python -m features.sources.synthetic.solve_base_rates``
writes that table again after a figure has changed; a test compares the rates.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from features.sources.synthetic.blocks import complete
from features.sources.synthetic.draft import BLOCK, FAMILIES
from features.sources.synthetic.regimens import cells
from features.sources.synthetic.tissues import figure, histologies, markers
from features.sources.synthetic.truth import INTERCEPT, terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from features.batch import FloatArray
    from features.sources.synthetic.draft import Draft, Family

PILOT_SEED = 987_654_321
PILOT_BLOCKS = 120
"""Blocks of the pilot: 491,520 cases a family, so that a rate's own error is far under a percentage point."""
FEWEST = 20
"""Pilot cases below which an offset is not solved: a figure that no drawn case meets is a slip in the tables."""


class RateNobodyMeets(Exception):
    """A published rate whose setting no pilot case meets; share, line or context of its row is wrong."""


@dataclass(frozen=True)
class Pilot:
    """What solving needs of the pilot draw; ``rest`` is the log-odds without the offset that is sought."""

    rest: FloatArray
    cell: FloatArray
    tissue: NDArray[np.int64]
    lines: FloatArray
    deficient: NDArray[np.bool_]
    same_class: NDArray[np.bool_]
    carries: NDArray[np.bool_]

    def meets(self, context: str) -> NDArray[np.bool_]:
        """Say which cases are of the patients that a context names."""
        tests = {
            "1L": self.lines == 0,
            "2L+": self.lines >= 1,
            "3L+": self.lines >= 2,
            "pMMR": ~self.deficient,
            "dMMR": self.deficient,
        }
        met = ~self.same_class
        for name in context.split("|"):
            met = met & tests.get(name, True)
        return np.asarray(met)


def pilot(family: Family, blocks: int = PILOT_BLOCKS) -> Pilot:
    """Draw the pilot of a family."""
    drafts = [_slim(complete(family, "development", PILOT_SEED, block)) for block in range(blocks)]
    columns = [np.concatenate(parts) for parts in zip(*drafts, strict=True)]
    return Pilot(*columns)


def _slim(draft: Draft) -> tuple[NDArray[np.generic], ...]:
    numbers = draft.numbers
    rest = INTERCEPT + np.sum(list(terms(draft, {}).values()), axis=0)
    checkpoint = draft.family == "checkpoint"
    same = (numbers["prior_pd1"] + numbers["prior_ctla4"]) > 0 if checkpoint else np.zeros(BLOCK, dtype=np.bool_)
    return (rest, numbers["cell"], draft.tissue, numbers["prior_lines"], numbers["deficient"] > 0, same, draft.carries)


def solved(family: Family, drawn: Pilot) -> Iterator[tuple[str, float, float, int]]:
    """Yield key, log-odds, published rate and the number of pilot cases for every cell, then for deficiency."""
    rest = drawn.rest.copy()
    without = {row["scenario"]: markers().places(row["without"]) for row in figure("base_rates_targeted")}
    for place, cell in enumerate(cells(family)):
        context = cell.context if family == "targeted" or "MMR" in cell.context else f"{cell.context}|pMMR"
        here = (drawn.cell == place) & drawn.meets(context)
        here &= ~drawn.carries[:, without.get(cell.key, [])].any(axis=1)
        offset = _offset(cell.key, rest[here], cell.orr)
        rest[drawn.cell == place] += offset
        yield cell.key, offset, cell.orr, int(here.sum())
    if family == "checkpoint":
        yield from _deficiency(drawn, rest)


def _deficiency(drawn: Pilot, rest: FloatArray) -> Iterator[tuple[str, float, float, int]]:
    rows, tissues = figure("base_rates_mmr"), histologies().tissues
    named = [tissues.index(row["tissue"]) for row in rows if row["tissue"] != "OTHER"]
    single = np.array([cell.regimen_class == "pd1_pdl1" for cell in cells("checkpoint")])[drawn.cell.astype(np.int64)]
    eligible = drawn.meets("2L+|dMMR") & single
    for row in rows:
        other = row["tissue"] == "OTHER"
        here = eligible & (~np.isin(drawn.tissue, named) if other else drawn.tissue == tissues.index(row["tissue"]))
        rate = float(row["orr_percent"]) / 100
        yield f"dMMR|{row['tissue']}", _offset(row["tissue"], rest[here], rate), rate, int(here.sum())


def _offset(key: str, rest: FloatArray, rate: float) -> float:
    if len(rest) < FEWEST:
        raise RateNobodyMeets(f"{key}: {len(rest)} pilot cases are of the patients its rate is of, {FEWEST} needed")
    return float(brentq(lambda offset: float(expit(rest + offset).mean()) - rate, -15, 15))


def write(path: Path) -> None:
    """Solve all offsets and write the table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["family", "key", "log_odds", "orr_percent", "pilot_cases"])
        for family in FAMILIES:
            for key, offset, rate, n in solved(family, pilot(family)):
                writer.writerow([family, key, f"{offset:.4f}", f"{100 * rate:.1f}", n])


if __name__ == "__main__":
    write(Path(__file__).parent / "figures" / "offsets.csv")
