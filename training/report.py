"""One self-contained HTML of a run (no network), and its figures as PNG and SVG."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from training.drawn import Drawn, draw
from training.judged import MODEL
from training.palette import TITLES
from training.table_one import table_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from models.delong import PairedAuroc
    from models.response import ResponseModel
    from training.evaluate import Evaluation
    from training.figures_cases import AnsweredCases
    from training.further import FurtherTable
    from training.judged import FloatArray, Row, Scene

SHOWN_METRICS = {
    "auroc": "AUROC",
    "auroc_within_histology": "AUROC within histology",
    "auprc": "AUPRC",
    "brier": "Brier",
    "brier_skill": "Brier skill",
    "log_loss": "log loss",
    "citl": "CITL",
    "slope": "slope",
    "ici": "ICI",
    "e90": "E90",
}
"""Columns of the report's tables, in order, with their headings."""

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
    answered
        The final model's answers, one set per pool, development first: contributions.
    by_cohort
        The same by cohort: intervals, missingness, table 1.
    notes
        Sentences about leakage checks, overlaps, sample size.
    further
        Tables beside the main one: subgroups, what was left out.
    """

    title: str
    synthetic: bool
    question: Sequence[tuple[str, str]]
    cohorts: Sequence[Mapping[str, Any]]
    scenes: Sequence[Scene]
    evaluation: Evaluation
    answered: Sequence[AnsweredCases]
    by_cohort: Sequence[AnsweredCases]
    settings: str
    made_with: Sequence[tuple[str, str]]
    bootstraps: int
    notes: Sequence[str] = field(default_factory=tuple)
    further: Sequence[FurtherTable] = field(default_factory=tuple)


def write_report(data: ReportData, folder: Path) -> list[Path]:
    """Write ``report.html`` and, under ``figures/``, every figure as PNG and SVG; return all files, the report first.

    The same data give the same bytes.
    """
    import matplotlib as mpl

    (folder / "figures").mkdir(parents=True, exist_ok=True)
    files, pictures = [], []
    with mpl.rc_context({"svg.hashsalt": SVG_SALT, "font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        for drawn in draw(data):
            place = folder / "figures" / drawn.name
            pictures.append(_picture(drawn, place))
            files += [place.with_suffix(".png"), place.with_suffix(".svg")]
    page = folder / "report.html"
    page.write_text(_html(data, pictures), encoding="utf-8")
    return [page, *files]


def _picture(drawn: Drawn, place: Path) -> dict[str, Any]:
    png = _png(drawn.figure)
    drawn.figure.set_layout_engine("none")  # where things stand was worked out for the PNG
    place.with_suffix(".png").write_bytes(png)
    drawn.figure.savefig(place.with_suffix(".svg"), metadata={"Date": None})
    width = round(drawn.figure.get_size_inches()[0] * 96)
    png64 = base64.b64encode(png).decode()
    return {"section": drawn.section, "alt": drawn.words, "png": png64, "width": width, "name": drawn.name}


def _png(figure: Figure) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return held.getvalue()


def _html(data: ReportData, pictures: Sequence[Mapping[str, Any]]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html")
    sections: dict[str, list[Mapping[str, Any]]] = {}
    for one in pictures:
        sections.setdefault(one["section"], []).append(one)
    return page.render(
        data=data,
        intended_use=INTENDED_USE,
        no_recommendation=NO_RECOMMENDATION,
        tables=tables(data.evaluation),
        table_one=table_one(data.by_cohort),
        sections=sections,
    )


def tables(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return one table per scene and cohort, in order, every row of it: the losing ones too.

    Predictors that are defined for nobody there are named below the table.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in evaluation.rows:
        found.setdefault((row.scene, row.cohort), []).append(row)
    return [
        {
            "caption": f"{cohort}: {scene}",
            "metrics": list(SHOWN_METRICS.values()),
            "rows": [_shown(row) for row in rows if row.n],
            "absent": [TITLES.get(row.predictor, row.predictor) for row in rows if not row.n],
        }
        for (scene, cohort), rows in found.items()
    ]


def _shown(row: Row) -> dict[str, Any]:
    against = row.against_model
    return {
        "title": TITLES.get(row.predictor, row.predictor),
        "ours": row.predictor == MODEL,
        "n": row.n,
        "events": row.events,
        "cells": [_cell(row, metric) for metric in SHOWN_METRICS],
        "difference": {"value": "", "interval": ""} if against is None else _with_interval(against),
        "note": row.note,
    }


def _with_interval(one: PairedAuroc) -> dict[str, str]:
    return {"value": signed(one.difference), "interval": f"{signed(one.low)} to {signed(one.high)}"}


def _cell(row: Row, metric: str) -> dict[str, str]:
    one = row.metrics.get(metric)
    if one is None or not np.isfinite(one.value):
        return {"value": "-", "interval": "", "spread": ""}
    interval = f"{one.low:.3f} to {one.high:.3f}" if np.isfinite(one.low) else ""
    if metric in row.spread:
        return {"value": f"{one.value:.3f}", "interval": interval, "spread": f"±{row.spread[metric]:.3f}"}
    return {"value": f"{one.value:.3f}", "interval": interval, "spread": ""}


def signed(value: float) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(0.0123), signed(float("nan"))
    ('+0.012', '-')
    """
    return f"{value:+.3f}" if np.isfinite(value) else "-"


def shap_gap(model: ResponseModel, matrix: FloatArray) -> float | None:
    """Return the largest difference of our boosted contributions from ``shap.TreeExplainer``'s; None without boosters.

    Both are path-dependent TreeSHAP of the same trees, ours centred on the training cases: the differences of a
    case from the first case are compared, which the centring leaves alone.
    """
    term = model.terms.boosted
    if term is None or not len(matrix):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap warns about its own dependencies, and once per LightGBM binary model
        import shap

        found = [shap.TreeExplainer(booster).shap_values(matrix) for booster in term.boosters()]
    theirs = np.mean([np.asarray(one[1] if isinstance(one, list) else one) for one in found], axis=0)
    ours = term.contributions(matrix)[0]
    return float(np.abs((ours - ours[0]) - (theirs - theirs[0])).max())
