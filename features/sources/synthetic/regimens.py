"""Which regimens exist in the two families, their class and agents, and what the published arms say of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features.sources.synthetic.tissues import column, figure, histologies, markers, weighted

if TYPE_CHECKING:
    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Family


@dataclass(frozen=True)
class Cell:
    """What is known of one therapy in one setting: the unit that evidence speaks of.

    ``context`` holds the patients the published rate is of: ``1L``, ``2L+``, ``3L+``, ``any``, and for checkpoint
    blockade ``pMMR`` or ``dMMR``.
    """

    key: str
    agents: tuple[str, ...]
    agent_weights: FloatArray
    regimen_class: str
    orr: float
    context: str


def _cell(key: str, row: dict[str, str], context: str) -> Cell:
    agents, weights = weighted(row["agents"]) if ":" in row["agents"] else ((row["agents"],), np.ones(1))
    return Cell(key, agents, weights, row["regimen_class"], float(row["orr_percent"]) / 100, context)


@cache
def cells(family: Family) -> tuple[Cell, ...]:
    """Return all cells of a family; those of unmatched therapy come last.

    Examples
    --------
    >>> cells("checkpoint")[0].key
    'LUNG|pd1_pdl1'
    """
    if family == "checkpoint":
        rows = figure("base_rates_checkpoint")
        return tuple(_cell(f"{row['tissue']}|{row['regimen_class']}", dict(row), row["context"]) for row in rows)
    matched = [_cell(row["scenario"], dict(row), row["line"]) for row in figure("base_rates_targeted")]
    unmatched = [_cell(f"UNMATCHED|{row['regimen_class']}", dict(row), "any") for row in figure("unmatched_regimens")]
    return (*matched, *unmatched)


@dataclass(frozen=True)
class Regimens:
    """Distinct regimens of a family: key (agents sorted and joined), class, and the log-odds of their agents."""

    keys: tuple[str, ...]
    classes: tuple[str, ...]
    agents_term: FloatArray

    def of_classes(self, names: str) -> FloatArray:
        """Return one flag per regimen for ``a|b``, ``ANY`` or a blank (any)."""
        wanted = names.split("|")
        return np.array([names in ("", "ANY") or name in wanted for name in self.classes], dtype=np.float64)


@cache
def regimens(family: Family) -> Regimens:
    """Return the regimens that the cells of a family use."""
    by_key = {key: cell.regimen_class for cell in cells(family) for key in cell.agents}
    own = {row["agent"]: float(row["log_odds"]) for row in figure("agents")}
    term = [sum(own.get(agent, 0.0) for agent in key.split("+")) for key in by_key]
    return Regimens(tuple(by_key), tuple(by_key.values()), np.array(term))


@dataclass(frozen=True)
class Scenarios:
    """Targeted indications: histologies, the marker that leads to the therapy, the line, and what came before."""

    share: FloatArray
    histologies: tuple[IntArray, ...]
    histology_weights: tuple[FloatArray, ...]
    marker: IntArray
    line: tuple[str, ...]
    prior_agents: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=1)
def scenarios() -> Scenarios:
    """Return the targeted indications, in the order of ``base_rates_targeted.csv``; marker -1 is none."""
    rows = figure("base_rates_targeted")
    mixes = [weighted(row["histologies"]) for row in rows]
    return Scenarios(
        share=column(rows, "share"),
        histologies=tuple(np.array([histologies().at(code) for code in codes]) for codes, _ in mixes),
        histology_weights=tuple(weights for _, weights in mixes),
        marker=np.array([markers().at(row["marker"]) if row["marker"] else -1 for row in rows]),
        line=tuple(row["line"] for row in rows),
        prior_agents=tuple(tuple(row["prior_agents"].split("|")) if row["prior_agents"] else () for row in rows),
    )
