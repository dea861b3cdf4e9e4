"""Which figures a report has, in its order, each with the section it stands in and a sentence for those who listen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training import figures, figures_cases, figures_explained, figures_forest, figures_tables
from training.judged import MODEL, WHERE_LORIS, Row, Scene
from training.resampling import beside_loris

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from training.further import FurtherTable
    from training.report import ReportData

JUDGED, ACROSS, MOVES, CASES = (
    "How good the numbers are",
    "By cohort and subgroup",
    "What moves the estimate",
    "The cases and their intervals",
)
"""Sections of the report's figures."""

FOREST_METRICS = ("auroc", "citl", "slope")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure with its file's name, its section, and what it shows in one sentence."""

    name: str
    section: str
    words: str
    figure: Figure


def draw(data: ReportData) -> Iterator[Drawn]:
    """Draw every figure of a run, one after the other; only one is held at a time."""
    for scene in data.scenes:
        if not scene.name.endswith(WHERE_LORIS) and _two_classes(scene):
            yield from _judged(scene)
    yield from _across(data)
    yield from _explained(data)
    yield from _cases(data)


def _two_classes(scene: Scene) -> bool:
    held = scene.forecasts[0].known
    return bool(held.any()) and len(np.unique(scene.outcome[held])) == 2


def _judged(scene: Scene) -> Iterator[Drawn]:
    stem, whose = _slug(f"{scene.name} {scene.cohort}"), f"{scene.cohort}, {scene.name}"
    words = f"Reliability diagram of {whose}: observed against predicted, with a histogram of the predictions"
    yield Drawn(f"calibration-{stem}", JUDGED, words, figures.reliability(scene))
    if scene.truth is not None:
        figure = figures_cases.against_truth(scene, scene.truth)
        yield Drawn(f"truth-{stem}", JUDGED, f"True probability against the estimate, {whose}", figure)
    compared = (scene, beside_loris(scene))
    for one in compared:
        if one is None or not _two_classes(one):
            continue
        stem, whose = _slug(f"{one.name} {one.cohort}"), f"{one.cohort}, {one.name}"
        yield Drawn(f"ranking-{stem}", JUDGED, f"ROC and precision-recall curves, {whose}", figures.ranking(one))
        yield Drawn(f"decision-{stem}", JUDGED, f"Decision curve, {whose}", figures.decision_curve(one))


def _slug(words: str) -> str:
    """Return words fit for a file name.

    Examples
    --------
    >>> _slug("leave one cohort out, twins loris-msk1")
    'leave-one-cohort-out-twins-loris-msk1'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", words).strip("-")


def _across(data: ReportData) -> Iterator[Drawn]:
    rows = [row for row in data.evaluation.rows if row.metrics]
    ours = [row for row in rows if row.predictor == MODEL]
    if ours:
        figure = figures_forest.forest(ours, FOREST_METRICS, "Our model by cohort", data.synthetic)
        yield Drawn("forest-cohorts", ACROSS, "Forest plot of our model by cohort", figure)
    for scene in dict.fromkeys(row.scene for row in rows):
        yield from _every_predictor([row for row in rows if row.scene == scene], scene, data.synthetic)
    for table in data.further:
        yield from _of_table(table, data.synthetic)


def _every_predictor(rows: Sequence[Row], scene: str, synthetic: bool) -> Iterator[Drawn]:
    for metric, question in (("auroc", "Does it rank"), ("citl", "Is the number right")):
        shown = [row for row in rows if _drawn_row(row, metric)]
        if shown:
            title = f"{question}? Every predictor, {scene}"
            figure = figures_forest.forest(shown, (metric,), title, synthetic)
            yield Drawn(f"forest-{metric}-{_slug(scene)}", ACROSS, f"Forest plot. {title}", figure)


def _of_table(table: FurtherTable, synthetic: bool) -> Iterator[Drawn]:
    own = figures_tables.OF_TABLE.get(table.name)
    if own is not None:
        figure = own(table, synthetic)
        if figure is not None:
            yield Drawn(_slug(table.name), ACROSS, table.title, figure)
        return
    found = figures_forest.forest_of_table(table, FOREST_METRICS, synthetic)
    if found is not None:
        yield Drawn(f"forest-{_slug(table.name)}", ACROSS, f"Forest plot. {table.title}", found)


def _drawn_row(row: Row, metric: str) -> bool:
    return bool(np.isfinite(row.value(metric))) and not (metric == "auroc" and row.predictor == "base_rate")


def _explained(data: ReportData) -> Iterator[Drawn]:
    if not data.answered:
        return
    first = data.answered[0]
    words = f"{first.whose}, {first.answers.n} cases"
    drawn = {
        "groups": ("Bars: mean contribution by group", figures_explained.groups),
        "contributions": ("Beeswarm of every patient's contributions, by feature", figures_explained.swarm),
        "dependence": ("Contribution against value for the numbers that matter most", figures_explained.dependence),
    }
    for name, (sentence, function) in drawn.items():
        figure = function(first.answers, data.synthetic, words)
        if figure is not None:
            yield Drawn(name, MOVES, f"{sentence}, {words}", figure)


def _cases(data: ReportData) -> Iterator[Drawn]:
    for one in data.by_cohort:
        if len(one.outcome) >= figures_cases.WIDTH_GROUPS:
            figure = figures_cases.intervals(one, data.synthetic)
            words = f"Observed rate by width of the interval, {one.words}"
            yield Drawn(f"intervals-{_slug(one.cohort)}", CASES, words, figure)
    if data.by_cohort:
        figure = figures_cases.missingness(data.by_cohort, data.synthetic)
        yield Drawn("missingness", CASES, "Share of cases in which each field is unknown, by cohort", figure)
