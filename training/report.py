"""One self-contained HTML of a run (no network), and its figures as PNG and SVG."""

from __future__ import annotations

import base64
import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.feature_titles import in_words
from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from training.drawn import MOVES, Drawn, draw
from training.palette import BLUE, blank, plain
from training.report_tables import tables
from training.table_one import table_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.figure import Figure

    from models.boosted import BoostedTerm
    from models.response import ResponseModel
    from training.evaluate import Evaluation
    from training.figures_cases import AnsweredCases
    from training.further import FurtherTable
    from training.judged import FloatArray, Scene

DOTS_PER_INCH = 130
"""Of embedded pictures: sharp at the size shown, 60 to 100 kB each."""

SHAP_DRAWN, SHAP_COLUMNS = 1_000, 12
"""Cases and columns of the figures that the shap library draws of the boosters."""

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
        for drawn in chain(draw(data), drawn_by_shap(data)):
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


def shap_gap(model: ResponseModel, matrix: FloatArray) -> float | None:
    """Return the largest difference of our boosted contributions from ``shap.TreeExplainer``'s; None without boosters.

    Both are path-dependent TreeSHAP of the same trees, ours centred on the training cases: the differences of a
    case from the first case are compared, which the centring leaves alone.
    """
    term = model.terms.boosted
    if term is None or not len(matrix):
        return None
    theirs, ours = by_shap(term, matrix), term.contributions(matrix)[0]
    return float(np.abs((ours - ours[0]) - (theirs - theirs[0])).max())


def by_shap(term: BoostedTerm, matrix: FloatArray) -> FloatArray:
    """Return ``shap.TreeExplainer``'s values of the boosters, averaged over them, log-odds by column, shape (n, p)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap warns about its own dependencies, and once per LightGBM binary model
        import shap

        found = [shap.TreeExplainer(booster).shap_values(matrix) for booster in term.boosters()]
    averaged: FloatArray = np.mean([np.asarray(one[1] if isinstance(one, list) else one) for one in found], axis=0)
    return averaged


def drawn_by_shap(data: ReportData) -> Iterator[Drawn]:
    """Draw what the boosters alone do, by the shap library: a beeswarm, and its strongest number against its value.

    Nothing without boosters. The other figures of contributions are of all terms together, as they are served.
    """
    answers = data.answered[0].answers if data.answered else None
    if answers is None or answers.model.terms.boosted is None or not answers.n:
        return
    matrix = answers.inputs.matrix[:SHAP_DRAWN]
    values = by_shap(answers.model.terms.boosted, matrix)
    if not np.ptp(values, axis=0).any():
        return
    import shap

    names = [in_words(column.name) for column in answers.model.table.columns]
    explained = shap.Explanation(values, data=matrix, feature_names=names)
    whose = f"{data.answered[0].whose}, {len(matrix)} cases"
    words = f"Boosters alone, by the shap library: contribution of each column (log-odds, before calibration), {whose}"
    yield Drawn("boosted-shap", MOVES, words, _beeswarm(explained, data.synthetic))
    numbers = [np.abs(values[:, j]).mean() * (len(np.unique(matrix[:, j])) > 2) for j in range(len(names))]
    strongest = int(np.argmax(numbers))
    if numbers[strongest] > 0:
        words = f"Boosters alone, by the shap library: {names[strongest]} against its contribution, {whose}"
        yield Drawn("boosted-shap-dependence", MOVES, words, _scatter(explained[:, strongest], data.synthetic))


def _beeswarm(explained: Any, synthetic: bool) -> Figure:
    from shap import plots

    figure = blank(8.4, 1.2 + 0.4 * SHAP_COLUMNS, synthetic)
    axes = figure.subplots()
    with _spread_alike():
        plots.beeswarm(explained, max_display=SHAP_COLUMNS, ax=axes, plot_size=None, show=False, s=8)
    axes.set_xlabel("contribution (log-odds, before calibration)")
    plain(axes)
    return figure


def _scatter(explained: Any, synthetic: bool) -> Figure:
    from shap import plots

    figure = blank(5.6, 4.0, synthetic)
    axes = figure.subplots()
    with _spread_alike():
        plots.scatter(explained, ax=axes, show=False, color=BLUE, hist=False, dot_size=8)
    axes.set_ylabel("contribution (log-odds, before calibration)")
    plain(axes)
    return figure


@contextmanager
def _spread_alike() -> Iterator[None]:
    """Let shap spread its points alike each time: it draws from numpy's global generator, which is put back."""
    state = np.random.get_state()  # noqa: NPY002  # the one that shap reads
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
