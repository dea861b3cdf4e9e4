"""What was given before, and what is given now: lines, earlier regimens with dates, therapy, acquired resistance."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features.sources.synthetic.draft import flags, stream
from features.sources.synthetic.regimens import cells, regimens, scenarios
from features.sources.synthetic.tissues import by_tissue, column, figure, histologies, markers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Draft

MOST_LINES = 6
"""Lines before the index date that are drawn."""
UNMATCHED_SHARE = 0.09
"""Targeted cases given a therapy that no alteration of theirs calls for (assumption)."""
OTHER_LINE_SHARE = 0.15
"""Targeted cases treated earlier or later than the trials of their therapy did (assumption)."""
PRIOR_CHECKPOINT_SHARE, PRIOR_CHECKPOINT_MELANOMA = 0.06, 0.45
"""Pretreated checkpoint cases that had a checkpoint inhibitor before (assumption)."""
EXTERNAL_FURTHER_LINE = 0.08
"""Added chance of each further line at the external sites (assumption)."""
CHECKPOINT_BEFORE = ("nivolumab", "pembrolizumab", "ipilimumab", "atezolizumab", "ipilimumab+nivolumab")
DRIVER_FIRST_LINE = (
    ("EGFR_SENSITISING", ("osimertinib", "erlotinib")),
    ("ALK_FUSION", ("alectinib", "crizotinib")),
    ("ROS1_FUSION", ("crizotinib", "entrectinib")),
    ("RET_FUSION", ("selpercatinib", "pralsetinib")),
)


@lru_cache(maxsize=1)
def _usual() -> NDArray[np.str_]:
    """Return the usual regimen by tissue and line (three lines; later ones repeat the third)."""
    rows = {(row["tissue"], int(row["line"])): row["agents"] for row in figure("prior_regimens")}
    lines = [min(line, 3) for line in range(1, MOST_LINES + 1)]
    return np.array(
        [[rows.get((tissue, line), rows[("OTHER", line)]) for line in lines] for tissue in histologies().tissues],
        dtype="U48",
    )


def history(draft: Draft, seed: int, block: int) -> None:
    """Draw the number of earlier lines, their regimens and when they started and ended."""
    rng = stream(seed, draft.family, draft.cohort, block, "history")
    lines = _lines(draft, rng)
    draft.numbers["prior_lines"] = lines.astype(np.float64)
    given = np.where(np.arange(MOST_LINES) < lines[:, None], _usual()[draft.tissue], "").astype("U48")
    if draft.family == "checkpoint":
        _checkpoint_before(draft, rng, given, lines)
        _driver_before(draft, rng, given, lines)
    else:
        _scenario_before(draft, rng, given, lines)
    draft.prior_agents = given
    _dates(draft, rng)


def _lines(draft: Draft, rng: np.random.Generator) -> IntArray:
    further = by_tissue("lines", "further_line")[draft.tissue] + EXTERNAL_FURTHER_LINE * (draft.cohort == "external")
    more = np.minimum(rng.geometric(1 - further) - 1, MOST_LINES)
    u = rng.random((2, draft.n))
    if draft.family == "checkpoint":
        naive = u[0] < by_tissue("lines", "first_line_share")[draft.tissue]
        return np.where(naive, 0, np.minimum(1 + more, MOST_LINES)).astype(np.int64)
    contexts = np.array([("1L", "2L+", "3L+", "any").index(line) for line in scenarios().line])[draft.scenario]
    must_have = np.array([bool(prior) for prior in scenarios().prior_agents])[draft.scenario]
    other = (u[1] < OTHER_LINE_SHARE) & ~must_have
    by_context = [0 * more, 1 + more, 2 + more]
    usual = np.select([contexts == 0, contexts == 1, contexts == 2], by_context, (u[0] > 0.4) * (1 + more))
    swapped = np.where(contexts == 0, 1 + more, 0)
    return np.minimum(np.where(other, swapped, usual), MOST_LINES).astype(np.int64)


def _checkpoint_before(draft: Draft, rng: np.random.Generator, given: NDArray[np.str_], lines: IntArray) -> None:
    """Put a checkpoint inhibitor into the last earlier line of some."""
    u = rng.random(draft.n)
    choice = np.array(CHECKPOINT_BEFORE)[rng.integers(len(CHECKPOINT_BEFORE), size=draft.n)]
    share = np.where(draft.in_tissues("MELANOMA"), PRIOR_CHECKPOINT_MELANOMA, PRIOR_CHECKPOINT_SHARE)
    had = (lines > 0) & (u < share)
    given[had, lines[had] - 1] = choice[had]
    chosen = np.isin(choice, ("ipilimumab", "ipilimumab+nivolumab"))
    draft.numbers["prior_ctla4"] = flags(had & chosen)
    draft.numbers["prior_pd1"] = flags(had & (choice != "ipilimumab"))


def _driver_before(draft: Draft, rng: np.random.Generator, given: NDArray[np.str_], lines: IntArray) -> None:
    """Most pretreated lung cancers with a driver had its inhibitor first."""
    u = rng.random((2, draft.n))
    for marker, agents in DRIVER_FIRST_LINE:
        had = draft.carries[:, markers().at(marker)] & (lines > 0) & (u[0] < 0.8)
        last_is_checkpoint = np.isin(given[:, 0], CHECKPOINT_BEFORE)
        had &= ~last_is_checkpoint
        given[had, 0] = np.array(agents)[(u[1][had] < 0.5).astype(np.int64)]


def _scenario_before(draft: Draft, rng: np.random.Generator, given: NDArray[np.str_], lines: IntArray) -> None:
    """Put what an indication asks to have been given before into the last earlier line."""
    widest = max(map(len, scenarios().prior_agents))
    table = np.array([np.resize(np.array(prior or ("",), dtype="U48"), widest) for prior in scenarios().prior_agents])
    count = np.array([len(prior) for prior in scenarios().prior_agents])[draft.scenario]
    chosen = table[draft.scenario, (rng.random(draft.n) * np.maximum(count, 1)).astype(np.int64)]
    had = (count > 0) & (lines > 0)
    given[had, lines[had] - 1] = chosen[had]
    draft.numbers["prior_same_target"] = flags(had)


def _dates(draft: Draft, rng: np.random.Generator) -> None:
    """Count back from the index date: the last line ended days to months before, each lasted months."""
    gap = np.round(14 + rng.exponential(45, size=(draft.n, MOST_LINES)))
    duration = np.round(40 + rng.exponential(150, size=(draft.n, MOST_LINES)))
    lines = draft.numbers["prior_lines"].astype(np.int64)
    back = np.arange(MOST_LINES)[None, :]
    place = lines[:, None] - 1 - back
    started = np.cumsum(gap + duration, axis=1)
    for name, days in (("started", started), ("ended", started - duration)):
        table = np.full((draft.n, MOST_LINES), np.nan)
        row, source = np.nonzero(place >= 0)
        table[row, place[row, source]] = days[row, source]
        for line in range(MOST_LINES):
            draft.numbers[f"{name}.{line}"] = table[:, line]


@lru_cache(maxsize=1)
def _checkpoint_weights() -> tuple[FloatArray, FloatArray]:
    """Return the weights of each cell by tissue, first line and later."""
    rows, known = figure("base_rates_checkpoint"), histologies()
    belongs = np.array([[row["tissue"] == tissue for row in rows] for tissue in known.tissues]) * 1.0
    return belongs * column(rows, "first_weight"), belongs * column(rows, "later_weight")


def therapy(draft: Draft, seed: int, block: int) -> None:
    """Choose the cell (therapy in its setting) and the regimen of every case."""
    rng = stream(seed, draft.family, draft.cohort, block, "therapy")
    u = rng.random((4, draft.n))
    if draft.family == "checkpoint":
        first, later = _checkpoint_weights()
        naive = (draft.numbers["prior_lines"] == 0)[:, None]
        edges = np.cumsum(np.where(naive, first[draft.tissue], later[draft.tissue]), axis=1)
        cell = (u[0][:, None] * edges[:, -1:] >= edges).sum(axis=1)
    else:
        cell = np.where(u[0] < UNMATCHED_SHARE, _unmatched(draft, u[1]), draft.scenario)
        draft.unmatched = cell >= len(scenarios().share)
    draft.numbers["cell"] = cell.astype(np.float64)
    draft.regimen = _regimen(draft, cell, u[2])


def _unmatched(draft: Draft, u: FloatArray) -> IntArray:
    """Choose a therapy whose target gene is not altered in the case: the next in the list that qualifies."""
    rows = figure("unmatched_regimens")
    of_gene = np.array([row["gene"] for row in figure("markers")])[markers().first]
    altered = np.array([draft.carries[:, of_gene == row["gene"]].any(axis=1) for row in rows]).T
    same = np.array([[row["regimen_class"] == cell.regimen_class for row in rows] for cell in cells("targeted")])
    barred = altered | same[draft.scenario]
    start = (u * len(rows)).astype(np.int64)
    order = (start[:, None] + np.arange(len(rows))) % len(rows)
    free = ~np.take_along_axis(barred, order, axis=1)
    chosen = np.take_along_axis(order, free.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(free.any(axis=1), len(scenarios().share) + chosen, draft.scenario).astype(np.int64)


def _regimen(draft: Draft, cell: IntArray, u: FloatArray) -> IntArray:
    """Choose among the regimens of each cell."""
    known, keys = cells(draft.family), regimens(draft.family).keys
    widest = max(len(entry.agents) for entry in known)
    padded = (np.pad(np.cumsum(e.agent_weights), (0, widest - len(e.agents)), constant_values=2) for e in known)
    edges = np.array(list(padded))
    table = np.array([np.resize([keys.index(agents) for agents in entry.agents], widest) for entry in known])
    place = np.minimum((u[:, None] >= edges[cell]).sum(axis=1), widest - 1)
    return np.asarray(table[cell, place], dtype=np.int64)


def resistance(draft: Draft, seed: int, block: int) -> None:
    """Plant what earlier therapy selects for: one draw per rule of ``resistance.csv``."""
    rng = stream(seed, draft.family, draft.cohort, block, "resistance")
    for row in figure("resistance"):
        exposed = np.isin(draft.prior_agents, row["prior_agents"].split("|")).any(axis=1)
        able = draft.carries_any(markers().places(row["driver"])) & draft.in_tissues(row["tissues"])
        acquired = exposed & able & (rng.random(draft.n) < float(row["probability"]))
        draft.carries[acquired, markers().at(row["marker"])] = True
