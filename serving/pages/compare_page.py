"""Two versions side by side: the page, its figures and their downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np

from serving.pages.compare_view import CompareView, compared
from serving.pages.explanations_page import kept
from serving.pages.figures import figure_file
from serving.pages.kept_views import longest
from serving.pages.log_query import LONGEST
from serving.pages.refusals import PageRequestRefused

if TYPE_CHECKING:
    from starlette.responses import Response

    from serving.pages.log_columns import LogColumns
    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

ADDRESS = "/audit/compare"


def add_routes(pages: Pages) -> None:
    """Add the page and its files."""
    pages.get(ADDRESS, compare)
    pages.get(f"{ADDRESS}/{{file}}", compare_file)


def compare(visit: Visit) -> Response:
    """Show two versions side by side."""
    view = view_of(visit)
    query = urlencode({"first": view.versions[0], "second": view.versions[1]})
    fields = [
        {
            "name": name,
            "label": label,
            "kind": "choice",
            "value": chosen,
            "options": [(one, one) for one in view.choices],
        }
        for name, label, chosen in zip(("first", "second"), ("Version", "beside version"), view.versions, strict=True)
    ]
    return visit.show("compare.html", view=view, address=ADDRESS, query=query, fields=fields)


def compare_file(visit: Visit) -> Response:
    """Answer with one drawing or the numbers behind it."""
    view = view_of(visit)
    shown = list(view.figures.values())
    of_view = (ADDRESS, view.versions, view.record)
    return figure_file(shown, visit.named["file"], visit.asked.get("drawn", ""), kept(visit), of_view)


def view_of(visit: Visit) -> CompareView:
    """Return the page's content, kept while it is true enough."""
    reader = visit.reader
    behind = reader.catch_up()
    with reader.steady:
        usual = usual_versions(reader.columns)
    versions = visit.asked.get("first", usual[0]), visit.asked.get("second", usual[1])
    if any(len(version) > LONGEST for version in versions):
        raise PageRequestRefused(f"a version of more than {LONGEST} characters")
    covered, key = reader.columns.covered, (ADDRESS, versions, behind > 0)
    return kept(visit).get(key, covered, lambda: compared(reader, versions, behind), longest(behind))


def usual_versions(columns: LogColumns) -> tuple[str, str]:
    """Return the two versions to begin with: those of the model that most often had another one, the older first."""
    texts = columns.codes["version"].texts
    names = [text.rpartition("/")[0] for text in texts]
    several = [text for text, name in zip(texts, names, strict=True) if names.count(name) > 1]
    if len(several) < 2:
        return (texts[0], texts[-1]) if texts else ("", "")
    counts = np.bincount(columns["version"], minlength=len(texts))
    name = max(set(several), key=lambda text: counts[texts.index(text)]).rpartition("/")[0]
    return tuple([text for text in several if text.rpartition("/")[0] == name][-2:])  # type: ignore[return-value]
