"""Figures of what moves the estimate: exact contributions (log-odds) as bars, swarms and dependence, by group.

These are the contributions that are served, so they add up to the log-odds of every case; nothing here is estimated
anew. What kind of SHAP each term is stands in the model card.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps

from features.feature_titles import in_words
from training.palette import BLACK, GROUP_COLOURS, GROUP_TITLES, blank, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from models.response import Answers
    from training.judged import FloatArray

MOST_FEATURES = 20
"""Features shown in the swarm; the rest are in its title as a share."""

LEAST_MOVEMENT = 1e-6
"""Mean |contribution| in log-odds below which a feature moves nothing: it was never known, or never varied."""

MOST_DEPENDENCES = 6
"""Panels of the figure of dependence: the numbers that move the estimate most."""

FEWEST_VALUES = 4
"""Distinct known values below which a feature is no number to be drawn along an axis."""

SWARM = 40
"""Cells along the axis of a swarm; within one, points are spread by how many there are."""


def values_of(answers: Answers) -> FloatArray:
    """Return each feature's value as the table has it, shape (n, F): NaN where unknown or where it has no order."""
    model, matrix = answers.model, answers.inputs.matrix
    found = np.full(answers.scores.phi.shape, np.nan)
    offset = len(model.feature_names) - len(model.table.features)
    for place, feature in enumerate(model.table.features):
        known = [c for c in feature.columns if not model.table.columns[c].name.endswith("__missing")]
        names = {model.table.columns[c].unit for c in known}
        if len(known) == 1 or (known and names != {"flag"}):
            found[:, place + offset] = matrix[:, known[0]]
    if offset and answers.inputs.evidence is not None:
        found[:, 0] = answers.inputs.evidence.log_odds
    return found


def swarm(answers: Answers, synthetic: bool, words: str) -> Figure:
    """Draw the mean size of each contribution (bars, coloured by group) and every patient's (dots, by value)."""
    phi, model, values = answers.scores.phi, answers.model, values_of(answers)
    size = np.abs(phi).mean(axis=0)
    order = np.argsort(-size, kind="stable")[:MOST_FEATURES]
    order = order[size[order] > LEAST_MOVEMENT]
    figure = blank(10.0, 1.5 + 0.28 * len(order), synthetic)
    bars, dots = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.6])
    map_ = colormaps["cividis"]
    for place, f in enumerate(order):
        dots.axhline(-place, color="0.93", lw=0.8, zorder=0)
        bars.barh(-place, size[f], color=GROUP_COLOURS.get(model.feature_groups[f], BLACK), height=0.7)
        _swarm_line(dots, phi[:, f], values[:, f], -place, map_)
    names = [in_words(model.feature_names[f]) for f in order]
    bars.set_yticks([-place for place in range(len(order))], names, fontsize=8)
    bars.set_xlabel("mean |contribution| (log-odds)")
    dots.axvline(0, color="0.6", lw=1)
    dots.set_xlabel("contribution of each patient (log-odds); right raises the estimate")
    _group_legend(bars, [model.feature_groups[f] for f in order])
    _value_bar(figure, dots, map_)
    share = size[order].sum() / max(float(size.sum()), 1e-12)
    plain(bars, f"What moves the estimate ({len(order)} of {len(size)} features, {share:.0%} of all movement)\n{words}")
    plain(dots)
    return figure


def _swarm_line(axes: Axes, phi: FloatArray, value: FloatArray, place: float, map_: Any) -> None:
    spread = _spread(phi)
    known = np.isfinite(value)
    rank = np.zeros(len(value))
    if known.any() and np.ptp(value[known]) > 0:
        distinct, where = np.unique(value[known], return_inverse=True)
        rank[known] = where / max(len(distinct) - 1, 1)
    else:
        known = np.zeros(len(value), dtype=np.bool_)
    dots: dict[str, Any] = {"s": 5, "lw": 0, "rasterized": True}
    axes.scatter(phi[~known], place + spread[~known], color="0.65", **dots)
    axes.scatter(phi[known], place + spread[known], c=map_(rank[known]), **dots)


def _spread(phi: FloatArray) -> FloatArray:
    """Return heights in -0.38 to 0.38: points of one cell beside each other, the fuller the cell the wider."""
    width = float(np.ptp(phi)) or 1.0
    cells = np.floor((phi - phi.min()) / width * SWARM).astype(int)
    heights = np.zeros(len(phi))
    fullest = int(np.bincount(cells).max())
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        reach = 0.38 * (len(rows) / fullest) ** 0.5
        heights[rows] = np.linspace(-reach, reach, len(rows)) if len(rows) > 1 else 0.0
    return heights


def _group_legend(axes: Axes, groups: list[Any]) -> None:
    shown = [group for group in GROUP_COLOURS if group in groups]
    handles: list[Any] = [axes.barh(0, 0, color=GROUP_COLOURS[group], label=GROUP_TITLES[group]) for group in shown]
    axes.legend(handles=handles, frameon=False, fontsize=7.5, loc="lower right")


def _value_bar(figure: Figure, axes: Axes, map_: Any) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(cmap=map_), ax=axes, fraction=0.03, pad=0.01, aspect=30)
    bar.set_ticks([0, 1], labels=["low", "high"], fontsize=8)
    bar.set_label("value of the feature (grey: unknown, or without order)", fontsize=8)


def groups(answers: Answers, synthetic: bool, words: str) -> Figure:
    """Draw the mean size of the eight groups' contributions, largest first."""
    phi, of_group = answers.scores.phi, np.array(answers.model.feature_groups)
    found = {group: float(np.abs(phi[:, of_group == group].sum(axis=1)).mean()) for group in GROUP_COLOURS}
    ordered = sorted((group for group in found if (of_group == group).any()), key=lambda group: found[group])
    figure = blank(5.6, 0.9 + 0.3 * len(ordered), synthetic)
    axes = figure.subplots()
    for place, group in enumerate(ordered):
        axes.barh(place, found[group], color=GROUP_COLOURS[group], height=0.7)
        axes.annotate(f" {found[group]:.2f}", (found[group], place), va="center", fontsize=8)
    axes.set_yticks(range(len(ordered)), [GROUP_TITLES[group] for group in ordered], fontsize=8.5)
    axes.set_xlabel("mean |sum of the group's contributions| (log-odds)")
    axes.margins(x=0.12)
    plain(axes, f"What moves the estimate, by group\n{words}")
    return figure


def dependence(answers: Answers, synthetic: bool, words: str) -> Figure | None:
    """Draw contribution against value for the numbers that move the estimate most; None when there is no number."""
    phi, values, model = answers.scores.phi, values_of(answers), answers.model
    offset = len(model.feature_names) - len(model.table.features)
    order = [
        f for f in np.argsort(-np.abs(phi).mean(axis=0), kind="stable") if f >= offset and _is_number(values[:, f])
    ]
    if not order:
        return None
    shown = order[:MOST_DEPENDENCES]
    lines = -(-len(shown) // 3)
    figure = blank(9.6, 0.6 + 2.7 * lines, synthetic)
    panels = np.atleast_1d(figure.subplots(lines, min(3, len(shown)))).ravel()
    for axes, f in zip(panels, shown, strict=False):
        feature = model.table.features[f - offset]
        colour = GROUP_COLOURS.get(feature.group, BLACK)
        _dependence(axes, values[:, f], phi[:, f], colour)
        axes.tick_params(labelsize=8)
        unit = _in_own_unit(axes, model.table.columns[feature.columns[0]].unit)
        axes.set_xlabel(f"{in_words(feature.name)} ({unit})", fontsize=8.5)
        plain(axes)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.supylabel("contribution (log-odds)", fontsize=9)
    figure.suptitle(f"Contribution by value. {words}", fontsize=10, x=0.01, ha="left")
    return figure


ROUND = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)
"""Values that are written along a logarithmic axis, in the feature's own unit."""


def _in_own_unit(axes: Axes, unit: str) -> str:
    """Label an axis of log2(1 + value) with values; return the unit that the labels are in."""
    own = re.fullmatch(r"log2\(1\s*\+\s*(.+)\)", unit)
    if own is None:
        return unit
    low, high = axes.get_xlim()
    ticks = [value for value in ROUND if low <= np.log2(1 + value) <= high]
    axes.set_xticks([float(np.log2(1 + value)) for value in ticks], [str(value) for value in ticks])
    axes.set_xlim(low, high)
    return f"{own[1]}, logarithmic"


def _is_number(value: FloatArray) -> bool:
    return len(np.unique(value[np.isfinite(value)])) >= FEWEST_VALUES


def _dependence(axes: Axes, value: FloatArray, phi: FloatArray, colour: str) -> None:
    known = np.isfinite(value)
    axes.axhline(0, color="0.7", lw=1)
    axes.plot(value[known], phi[known], ".", ms=4, alpha=0.5, color=colour, rasterized=True)
    if not known.all():
        at = float(value[known].min() - 0.09 * np.ptp(value[known]))
        axes.plot(np.full((~known).sum(), at), phi[~known], "_", ms=9, color="0.45")
        axes.annotate(
            f"unknown\n(n {int((~known).sum())})",
            (at, float(phi[~known].mean())),
            fontsize=6.5,
            color="0.3",
            xytext=(6, 3),
            textcoords="offset points",
            va="bottom",
        )
