"""Figures of the cases: the estimate against the truth, what the intervals hold, what was not known."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.batch_rows import rows_of
from features.describe import missing
from models.pooling import exact_interval
from training.palette import BLACK, BLUE, MARKERS, STYLES, blank, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from models.response import Answers
    from training.judged import FloatArray, Scene

COVERED = 0.95
"""Share of true probabilities that a 95% interval should hold."""

WIDTH_GROUPS = 5
"""Groups of equal size by interval width."""

MOST_FIELDS = 40
"""Fields of the figure of missingness."""


@dataclass(frozen=True, eq=False)
class AnsweredCases:
    """The final model's answers to one cohort.

    Attributes
    ----------
    cohort, role
        Id; ``development`` (the model was fitted on them) or ``external``.
    outcome, truth
        Shape (n,); truth of synthetic cases, else None.
    """

    cohort: str
    role: str
    answers: Answers
    outcome: FloatArray
    truth: FloatArray | None = None

    @property
    def whose(self) -> str:
        """Whose cases these are: the cohort, or how many cohorts together."""
        together = self.cohort.count("+") + 1
        return self.cohort if together == 1 else f"{together} cohorts together"

    @property
    def words(self) -> str:
        """Whose cases these are, for a title."""
        return self.whose if self.role == "external" else f"{self.whose} (fitted on these cases)"

    def part(self, cohort: str, rows: NDArray[Any]) -> AnsweredCases:
        """Return the answers to some of the cases, under the name of their cohort."""
        whole = self.answers
        scores = {one.name: getattr(whole.scores, one.name) for one in fields(whole.scores)}
        cut = {name: values[rows] if isinstance(values, np.ndarray) else values for name, values in scores.items()}
        answers = replace(
            whole,
            batch=rows_of(whole.batch, rows),
            inputs=whole.inputs.take(rows),
            scores=type(whole.scores)(**cut),
            abstains={code: flags[rows] for code, flags in whole.abstains.items()},
        )
        truth = None if self.truth is None else self.truth[rows]
        return AnsweredCases(cohort, self.role, answers, self.outcome[rows], truth)


def against_truth(scene: Scene, truth: FloatArray) -> Figure:
    """Draw the estimate against the true probability that synthetic cases were drawn with, and its mean by tenths."""
    figure = blank(5.2, 5.2, scene.synthetic)
    axes = figure.subplots()
    estimate = scene.forecasts[0].values.mean(axis=0)
    axes.plot([0, 1], [0, 1], color="0.6", lw=1)
    axes.plot(estimate, truth, ".", ms=3, alpha=0.35, color=BLUE, rasterized=True, label="cases")
    for rows in np.array_split(np.argsort(estimate, kind="stable"), 10):
        low, high = np.quantile(truth[rows], [0.25, 0.75])
        at = float(estimate[rows].mean())
        axes.plot([at, at], [low, high], color=BLACK, lw=1.2)
        axes.plot(at, truth[rows].mean(), "o", color=BLACK, ms=4.5)
    axes.plot([], [], "-o", color=BLACK, ms=4.5, label="mean and quartiles by tenth")
    error = float(np.nanmean(np.abs(truth - estimate)))
    axes.set(xlabel="estimate", ylabel="true probability", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    plain(axes, f"Against the truth: mean absolute error {error:.3f}\n{scene.cohort}: {scene.name}")
    return figure


def intervals(cases: AnsweredCases, synthetic: bool) -> Figure:
    """Draw the observed rate by width of the interval and, for synthetic cases, how often it holds the truth."""
    panels = 1 if cases.truth is None else 2
    figure = blank(4.9 * panels, 4.2, synthetic)
    axes = np.atleast_1d(figure.subplots(1, panels))
    _by_width(axes[0], cases)
    if cases.truth is not None:
        _coverage(axes[1], cases, cases.truth)
    return figure


def _by_width(axes: Axes, cases: AnsweredCases) -> None:
    scores = cases.answers.scores
    width = scores.high - scores.low
    for place, rows in enumerate(np.array_split(np.argsort(width, kind="stable"), WIDTH_GROUPS)):
        if not len(rows):
            continue
        events, n = int(cases.outcome[rows].sum()), len(rows)
        span = exact_interval(events, n)
        axes.plot([place, place], [span.low, span.high], color=BLACK, lw=1.2)
        axes.plot(place, events / n, "o", color=BLACK, ms=5, label="observed, 95% interval" if not place else None)
        mean = float(scores.probability[rows].mean())
        axes.plot(place, mean, "D", color=BLUE, ms=6, mfc="none", label="mean estimate" if not place else None)
        axes.annotate(f"{events}/{n}", (place, span.high), fontsize=7, ha="center", va="bottom")
    edges = [f"{width[rows].min():.2f}-{width[rows].max():.2f}" for rows in _fifths(width)]
    axes.set_xticks(range(len(edges)), edges, fontsize=8)
    axes.set(xlabel="width of the 95% interval (probability)", ylabel="share of responders", ylim=(0, None))
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    plain(axes, f"Observed by interval width\n{cases.words}")


def _fifths(width: FloatArray) -> list[Any]:
    return [rows for rows in np.array_split(np.argsort(width, kind="stable"), WIDTH_GROUPS) if len(rows)]


def _coverage(axes: Axes, cases: AnsweredCases, truth: FloatArray) -> None:
    scores = cases.answers.scores
    held = (scores.low <= truth) & (truth <= scores.high)
    for place, rows in enumerate(np.array_split(np.argsort(scores.probability, kind="stable"), WIDTH_GROUPS)):
        if not len(rows):
            continue
        inside, n = int(held[rows].sum()), len(rows)
        span = exact_interval(inside, n)
        axes.plot([place, place], [span.low, span.high], color=BLACK, lw=1.2)
        axes.plot(place, inside / n, "o", color=BLACK, ms=5)
        axes.annotate(
            f"{inside}/{n}",
            (place, span.low),
            fontsize=7,
            ha="center",
            va="top",
            xytext=(0, -2),
            textcoords="offset points",
        )
    axes.axhline(COVERED, color="0.5", lw=1, ls="--")
    axes.annotate("95%", (WIDTH_GROUPS - 0.6, COVERED), fontsize=8, va="bottom", color="0.3")
    p = scores.probability
    edges = [f"{p[rows].min():.2f}-{p[rows].max():.2f}" for rows in _fifths(p)]
    axes.set_xticks(range(len(edges)), edges, fontsize=8)
    axes.set(xlabel="estimate", ylabel="share of intervals that hold the truth", ylim=(_lowest(held), 1.02))
    plain(axes, f"Coverage of the true probability: {held.mean():.1%}\n{cases.words}")


def _lowest(held: Any) -> float:
    """Return where the axis begins: the lowest interval of a fifth with room for its count."""
    ends = [exact_interval(int(rows.sum()), len(rows)).low for rows in np.array_split(held, WIDTH_GROUPS) if len(rows)]
    return max(0.0, min(0.85, min(ends) - 0.06))


def missingness(cases: Sequence[AnsweredCases], synthetic: bool) -> Figure:
    """Draw which share of each cohort's cases lacks each field, most often unknown at the top."""
    found = [{name: n / one.answers.n for name, n in missing(one.answers.batch).items()} for one in cases]
    fields = sorted({name for each in found for name in each}, key=lambda name: _mean(found, name))
    fields = [name for name in fields if any(each.get(name, 1.0) > 0 for each in found)][-MOST_FIELDS:]
    figure = blank(8.4, 1.6 + 0.23 * max(3, len(fields)), synthetic)
    axes = figure.subplots()
    for place, name in enumerate(fields):
        axes.axhline(place, color="0.92", lw=0.8, zorder=0)
        for k, each in enumerate(found):
            colour, _ = STYLES[k % len(STYLES)]
            shift = 0.3 * (k / max(1, len(found) - 1) - 0.5)
            label = cases[k].cohort if place == 0 else None
            axes.plot(
                each.get(name, 1.0),
                place - shift,
                MARKERS[k % len(MARKERS)],
                color=colour,
                ms=5,
                label=label,
                mfc="none",
            )
    axes.set_yticks(range(len(fields)), [name.replace("_", " ").replace(".", ": ") for name in fields], fontsize=7.5)
    axes.set(xlabel="share of cases in which it is unknown", xlim=(-0.02, 1.02), ylim=(-0.7, len(fields) - 0.3))
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=4)
    plain(axes, "What was not known, by field and cohort (unknown is never filled in)")
    return figure


def _mean(found: Sequence[dict[str, float]], name: str) -> float:
    return float(np.mean([each.get(name, 1.0) for each in found]))
