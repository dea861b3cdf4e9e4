"""One self-contained HTML of a run (no network), and its figures as PNG and SVG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from training import figures
from training.judged import MODEL, WHERE_LORIS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from models.delong import PairedAuroc
    from models.response import Answers
    from training.evaluate import Evaluation
    from training.judged import Row, Scene

SHOWN_METRICS = (
    "auroc",
    "auroc_within_histology",
    "auprc",
    "brier",
    "brier_skill",
    "log_loss",
    "citl",
    "slope",
    "ici",
    "e90",
)
"""Columns of the report's tables, in order."""

DOTS_PER_INCH = 130
"""Of embedded pictures: sharp at the size shown, 60 to 100 kB each."""

SVG_SALT = "oncorespond"
"""Ids inside an SVG come from this, so that the same figure gives the same bytes."""


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report shows.

    Attributes
    ----------
    question
        Name and sentence, in order.
    cohorts
        One mapping per cohort: cohort_id, role, cases, responders, without_outcome, endpoint, denominator, licence,
        hash.
    scenes, evaluation
        What was judged, and the rows.
    answers
        Of the final model on the development cases: for the figure of contributions.
    notes
        Sentences about leakage checks, overlaps, sample size.
    """

    title: str
    synthetic: bool
    question: Sequence[tuple[str, str]]
    cohorts: Sequence[Mapping[str, Any]]
    scenes: Sequence[Scene]
    evaluation: Evaluation
    answers: Answers | None
    settings: str
    made_with: Sequence[tuple[str, str]]
    bootstraps: int
    notes: Sequence[str] = field(default_factory=tuple)


def draw(data: ReportData) -> dict[str, Figure]:
    """Draw every figure of a run, by file name."""
    found: dict[str, Figure] = {}
    for scene in data.scenes:
        if scene.name.endswith(WHERE_LORIS) or not 0 < scene.outcome.sum() < scene.outcome.size:
            continue
        stem = f"{scene.name}-{scene.cohort}".replace(" ", "-").replace(",", "")
        found[f"calibration-{stem}"] = figures.reliability(scene)
        found[f"roc-{stem}"] = figures.roc(scene)
        found[f"decision-{stem}"] = figures.decision_curve(scene)
        if scene.truth is not None:
            found[f"truth-{stem}"] = figures.against_truth(scene)
    rows = [row for row in data.evaluation.rows if row.metrics]
    found["forest-auroc"] = figures.forest(rows, "auroc", "Does it rank", 0.5, data.synthetic)
    found["forest-citl"] = figures.forest(rows, "citl", "Is the number right", 0.0, data.synthetic)
    if data.answers is not None:
        model = data.answers.model
        found["contributions"] = figures.contributions(
            model.feature_names, model.feature_groups, data.answers.scores.phi, data.synthetic
        )
    return found


def write_report(data: ReportData, folder: Path) -> list[Path]:
    """Write ``report.html`` and, under ``figures/``, every figure as PNG and SVG; return all files, the report first.

    The same data give the same bytes.
    """
    import matplotlib as mpl

    (folder / "figures").mkdir(parents=True, exist_ok=True)
    files, pictures = [], []
    with mpl.rc_context({"svg.hashsalt": SVG_SALT, "font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        for name, figure in draw(data).items():
            png = _png(figure)
            pictures.append({"alt": name.replace("-", " "), "png": base64.b64encode(png).decode()})
            figure.set_layout_engine("none")  # where things stand was worked out for the PNG
            place = folder / "figures" / name
            place.with_suffix(".png").write_bytes(png)
            figure.savefig(place.with_suffix(".svg"), metadata={"Date": None})
            files += [place.with_suffix(".png"), place.with_suffix(".svg")]
    page = folder / "report.html"
    page.write_text(_html(data, pictures), encoding="utf-8")
    return [page, *files]


def _png(figure: Figure) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return held.getvalue()


def _html(data: ReportData, pictures: Sequence[Mapping[str, str]]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html")
    return page.render(
        title=data.title,
        synthetic=data.synthetic,
        intended_use=INTENDED_USE,
        no_recommendation=NO_RECOMMENDATION,
        question=data.question,
        cohorts=data.cohorts,
        notes=data.notes,
        bootstraps=data.bootstraps,
        tables=tables(data.evaluation),
        figures=pictures,
        made_with=data.made_with,
        settings=data.settings,
    )


def tables(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return one table per scene and cohort, in order, every row of it: the losing ones too."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in evaluation.rows:
        found.setdefault((row.scene, row.cohort), []).append(row)
    return [
        {"caption": f"{cohort}: {scene}", "metrics": SHOWN_METRICS, "rows": [_shown(row) for row in rows]}
        for (scene, cohort), rows in found.items()
    ]


def _shown(row: Row) -> dict[str, Any]:
    against = row.against_model
    return {
        "title": figures.TITLES.get(row.predictor, row.predictor),
        "ours": row.predictor == MODEL,
        "n": row.n,
        "events": row.events,
        "cells": [_cell(row, metric) for metric in SHOWN_METRICS],
        "difference": "" if against is None else _with_interval(against),
        "note": row.note,
    }


def _with_interval(one: PairedAuroc) -> str:
    return f"{signed(one.difference)} ({signed(one.low)} to {signed(one.high)})"


def _cell(row: Row, metric: str) -> dict[str, str]:
    one = row.metrics.get(metric)
    if one is None or not np.isfinite(one.value):
        return {"value": "-", "interval": ""}
    interval = f"{one.low:.3f} to {one.high:.3f}" if np.isfinite(one.low) else ""
    if metric in row.spread:
        interval += f" ±{row.spread[metric]:.3f}"
    return {"value": f"{one.value:.3f}", "interval": interval}


def signed(value: float) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(0.0123), signed(float("nan"))
    ('+0.012', '-')
    """
    return f"{value:+.3f}" if np.isfinite(value) else "-"
