"""Calibration as outcomes arrive: the page, its figures and their downloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.metrics import auroc, brier
from serving.pages import calibration_view as figures
from serving.pages.calibration_figures import FEWEST, Calibrated
from serving.pages.case_view import WRITTEN
from serving.pages.explanations_page import LOOKED, kept, periods
from serving.pages.figures import Figure, figure_file
from serving.pages.kept_views import longest
from serving.pages.log_query import Asked, FilterRefused, matching, months_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from serving.pages.log_follow import LogReader
    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

ADDRESS = "/audit/calibration"

FILTERS = ("since", "until", "version", "therapy_class", "histology", "caller")
"""What this page can be asked for; the meanings are those of the list of predictions."""


def add_routes(pages: Pages) -> None:
    """Add the page and its files."""
    pages.get(ADDRESS, calibration)
    pages.get(f"{ADDRESS}/{{file}}", calibration_file)


@dataclass(frozen=True)
class CalibrationView:
    """What the page shows; ``overall`` is None, and so are ``auroc`` and ``brier``, under ten outcomes."""

    asked: Asked
    record: int
    behind: int
    requests: int
    answered: int
    known: int
    overall: Calibrated | None
    auroc: float | None
    brier: float | None
    figures: dict[str, Figure]
    choices: dict[str, list[str]]


def calibration(visit: Visit) -> Response:
    """Show calibration over the outcomes that have come."""
    view = view_of(visit, asked_by(visit))
    return visit.show(
        "calibration.html",
        view=view,
        asked=view.asked,
        address=ADDRESS,
        query=view.asked.address(),
        periods=periods(),
        fields=_fields(view),
        filtered=[WRITTEN.get(name, str)(value) for name, value in view.asked.filters.items()],
        fewest=FEWEST,
    )


def calibration_file(visit: Visit) -> Response:
    """Answer with one drawing or the numbers behind it."""
    asked = asked_by(visit)
    view = view_of(visit, asked)
    shown = list(view.figures.values())
    drawn = visit.asked.get("drawn", "")
    return figure_file(shown, visit.named["file"], drawn, kept(visit), (ADDRESS, asked, view.record))


def asked_by(visit: Visit) -> Asked:
    """Return the filter of an address; FilterRefused for a key that this page has not."""
    given = {name: value for name, value in visit.asked.items() if name not in LOOKED}
    if other := next((name for name in given if name not in FILTERS), None):
        raise FilterRefused("is no filter of this page", field=other[:40], allowed=FILTERS)
    return Asked.read(given)


def view_of(visit: Visit, asked: Asked) -> CalibrationView:
    """Return the page's content, kept while it is true enough."""
    reader = visit.reader
    behind = reader.catch_up()
    covered, key = reader.columns.covered, (ADDRESS, asked, behind > 0)
    return kept(visit).get(key, covered, lambda: made(reader, asked, behind), longest(behind))


def made(reader: LogReader, asked: Asked, behind: int) -> CalibrationView:
    """Compute the page's content."""
    with reader.steady:
        columns = reader.columns
        of = figures.Predictions(columns, matching(asked, columns))
        known = of.known
        enough = len(known) >= FEWEST
        pair = columns["outcome"][known], columns["probability"][known]
        return CalibrationView(
            asked=asked,
            record=columns.covered,
            behind=behind,
            requests=len(of.rows),
            answered=len(of.answered),
            known=len(known),
            overall=of.calibrated(known) if enough else None,
            auroc=float(auroc(*pair)) if enough else None,
            brier=float(brier(*pair)) if enough else None,
            figures={one.name: one for one in drawn(of)},
            choices=_choices(reader),
        )


def drawn(of: figures.Predictions) -> list[Figure]:
    """Return the figures of the page, in order."""
    over = "over time, by the month of the prediction"
    return [
        figures.reliability(of),
        figures.over_time(of, "citl", "citl", f"Calibration in the large {over}", 0.0),
        figures.over_time(of, "slope", "slope", f"Calibration slope {over}", 1.0),
        figures.by_group(of, "tissues", "Calibration in the large by tissue", "lineage", figures.tissue_of),
        figures.by_group(of, "sites", "Calibration in the large by site (who asked)", "caller"),
        figures.abstentions(of),
        figures.overridden(of),
    ]


def _choices(reader: LogReader) -> dict[str, list[str]]:
    codes = reader.columns.codes
    found = {name: sorted(codes[name].texts) for name in ("version", "therapy_class", "caller")}
    levels = {level for lineage in codes["lineage"].texts for level in lineage.split("/")}
    return {**found, "histology": sorted(levels), "months": months_of(reader.columns)}


def _fields(view: CalibrationView) -> list[dict[str, Any]]:
    names = (
        ("since", "From month", "months"),
        ("until", "Before month", "months"),
        ("version", "Model version", "version"),
        ("therapy_class", "Therapy class", "therapy_class"),
        ("histology", "Histology or tissue", "histology"),
        ("caller", "Site (who asked)", "caller"),
    )
    found = []
    for name, label, choices in names:
        value = getattr(view.asked, name) or ""
        known = view.choices[choices]
        options = [(one, WRITTEN.get(name, str)(one)) for one in (known if value in ("", *known) else [value, *known])]
        found.append({"name": name, "label": label, "kind": "choice", "value": value, "options": options})
    return found
