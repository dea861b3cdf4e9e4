"""Explanations in bulk: the page, its figures and their downloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serving.pages import bulk_view
from serving.pages.bulk_asked import SUBGROUPS, BulkAsked, following
from serving.pages.bulk_oddities import HOW, outliers, sign_disagreements
from serving.pages.bulk_sample import Sampler, beeswarm, dependence
from serving.pages.case_view import WRITTEN
from serving.pages.figures import Figure, figure_file
from serving.pages.kept_views import KeptViews, longest
from serving.pages.log_query import matching, months_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from serving.pages.log_follow import LogReader
    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

ADDRESS = "/audit/explanations"
LOOKED = ("drawn", "record")
"""Parameters of a drawing's address that are no filter."""


def add_routes(pages: Pages) -> None:
    """Add the page and its files."""
    pages.get(ADDRESS, explanations)
    pages.get(f"{ADDRESS}/{{file}}", explanation_file)


@dataclass(frozen=True)
class BulkView:
    """What the page shows.

    Attributes
    ----------
    record, behind
        Up to which record it counts, and how many the log had more that were not yet read.
    predicted
        Answers that the figures are about.
    feature
        Whose dependence on its value is shown.
    choices
        What the filters may be.
    """

    asked: BulkAsked
    record: int
    behind: int
    predicted: int
    feature: str
    figures: dict[str, Figure]
    disagreements: list[dict[str, Any]]
    outliers: list[Mapping[str, Any]]
    choices: dict[str, list[str]]


def explanations(visit: Visit) -> Response:
    """Show the explanations of many answers."""
    view = view_of(visit, BulkAsked.read(visit.asked))
    return visit.show(
        "explanations.html",
        view=view,
        asked=view.asked,
        address=ADDRESS,
        query=view.asked.address(),
        periods=periods(),
        fields=_fields(view),
        filtered=_filtered(view.asked),
        subgroups=SUBGROUPS,
        how=HOW,
    )


def explanation_file(visit: Visit) -> Response:
    """Answer with one drawing or the numbers behind it."""
    asked = BulkAsked.read({name: value for name, value in visit.asked.items() if name not in LOOKED})
    view = view_of(visit, asked)
    of_view = (ADDRESS, asked, view.record)
    drawn = visit.asked.get("drawn", "")
    return figure_file(list(view.figures.values()), visit.named["file"], drawn, kept(visit), of_view)


def view_of(visit: Visit, asked: BulkAsked) -> BulkView:
    """Return the page's content, kept while it is true enough."""
    reader = visit.reader
    behind = reader.catch_up()
    sampler: Sampler = visit.state.kept.setdefault("sampler", Sampler(reader))
    covered, key = reader.columns.covered, (ADDRESS, asked, behind > 0)
    return kept(visit).get(key, covered, lambda: made(reader, sampler, asked, behind), longest(behind))


def kept(visit: Visit) -> KeptViews:
    """Return the views that this worker keeps."""
    found: KeptViews = visit.state.kept.setdefault("views", KeptViews())
    return found


def made(reader: LogReader, sampler: Sampler, asked: BulkAsked, behind: int) -> BulkView:
    """Compute the page's content."""
    with reader.steady:
        columns, cube = reader.columns, reader.cube
        cells = asked.cells(cube, columns)
        rows = matching(asked.listed(status="predicted"), columns)
        found = cube.slice(cells)
        features = bulk_view.by_feature(found)
        figures = [bulk_view.by_group(found), features, bulk_view.drift(cube, cells)]
        figures.append(bulk_view.by_subgroup(cube, columns, cells, asked))
        disagreements = sign_disagreements(columns, rows, asked)
        choices = _choices(reader)
        odd, record = outliers(reader, rows), columns.covered
    sample = sampler.sample(rows)
    names = [row["name"] for row in features.numbers]
    feature = asked.feature or first_feature(disagreements, names)
    figures += [beeswarm(sample, names), dependence(sample, feature)]
    choices["feature"] = sorted(names)
    by_name = {figure.name: figure for figure in figures}
    return BulkView(asked, record, behind, len(rows), feature, by_name, disagreements, odd, choices)


def first_feature(disagreements: list[dict[str, Any]], names: list[str]) -> str:
    """Return the feature whose dependence is shown first: the one that disagrees most, or else the largest."""
    if disagreements and disagreements[0]["against"]:
        return str(disagreements[0]["feature"])
    return names[0] if names else "tmb_mut_per_mb"


_FIELDS = (
    ("since", "From month", "months"),
    ("until", "Before month", "months"),
    ("version", "Model version", "version"),
    ("therapy_class", "Therapy class", "therapy_class"),
    ("tissue", "Tissue", "tissue"),
    ("feature", "Feature to look at", "feature"),
)


def _fields(view: BulkView) -> list[dict[str, Any]]:
    """Return the fields of the filter, as the macro takes them."""
    found = []
    for name, label, choices in _FIELDS:
        value = getattr(view.asked, name) or ""
        known = view.choices[choices]
        options = [(one, WRITTEN.get(name, str)(one)) for one in (known if value in ("", *known) else [value, *known])]
        found.append({"name": name, "label": label, "kind": "choice", "value": value, "options": options})
    return found


def _filtered(asked: BulkAsked) -> str:
    """Return the filter in words, for its heading."""
    names = {name: label.lower() for name, label, _ in _FIELDS}
    set_ = [f"{names[name]} {WRITTEN.get(name, str)(getattr(asked, name))}" for name in names if getattr(asked, name)]
    return f"Filter: {', '.join(set_)}" if set_ else "Filter"


def _choices(reader: LogReader) -> dict[str, list[str]]:
    codes = reader.columns.codes
    found = {name: sorted(codes[name].texts) for name in ("version", "therapy_class")}
    return {**found, "tissue": sorted(reader.cube.tissues.texts), "months": months_of(reader.columns)}


def present() -> datetime:
    """Return the time now, UTC; "last month" is counted from it."""
    return datetime.now(UTC)


def periods(now: datetime | None = None) -> list[tuple[str, str | None, str | None]]:
    """Return the periods that one click chooses: name, since, until; calendar months in UTC.

    Examples
    --------
    >>> periods(datetime(2026, 11, 22, tzinfo=UTC))[:2]
    [('this month', '2026-11', '2026-12'), ('last month', '2026-10', '2026-11')]
    """
    this = (now or present()).strftime("%Y-%m")
    year, month = int(this[:4]), int(this[5:])
    last = f"{year - (month == 1):04d}-{(month + 10) % 12 + 1:02d}"
    return [("this month", this, following(this)), ("last month", last, this), ("all of the log", None, None)]
