"""Figure: a chart with its words, its numbers as a table, and their download; and the routes that serve the drawing.

A page holds ``<picture>`` elements: the browser asks for the one drawing that fits its width and scheme, when it is
about to be seen. So a page does not wait for its charts, and a phone does not load the wide ones.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape
from starlette.responses import Response

from serving.pages.chart_look import Look
from serving.pages.charts import svg
from serving.pages.number_text import MINUS, UNKNOWN
from serving.pages.refusals import NoSuchPage
from serving.pages.rendering import PAGE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from serving.pages.kept_views import KeptViews

SVG_SECONDS = 60
"""Seconds for which a browser may show a drawing again; the address says of which record it is."""


@dataclass(frozen=True)
class Figure:
    """One chart.

    Attributes
    ----------
    name
        In addresses: letters and hyphens.
    title, says
        What it is, and what it shows in a sentence or two.
    columns
        Key and label of each column of the table; a key that ends with ``#`` is of numbers.
    numbers
        Rows of the table and of the download: values, not texts.
    drawing, marks, options
        Name of the drawing, its rows, and what else it is told; see :mod:`serving.pages.charts`.
    remark
        What must be known to read it rightly.
    """

    name: str
    title: str
    says: str
    columns: tuple[tuple[str, str], ...]
    numbers: Sequence[Mapping[str, Any]]
    drawing: str
    marks: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""

    @property
    def heads(self) -> list[dict[str, Any]]:
        """Columns as the table macro reads them."""
        return [{"key": key, "label": label, "numeric": key.endswith("#")} for key, label in self.columns]

    @property
    def written(self) -> list[dict[str, str]]:
        """The numbers as a reader reads them."""
        return [{key: number_text(row.get(key)) for key, _ in self.columns} for row in self.numbers]

    def csv(self) -> bytes:
        """Return the numbers as CSV, every digit; an unknown one is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([label for _, label in self.columns])
        for row in self.numbers:
            writer.writerow(["" if (value := row.get(key)) is None else safe_cell(value) for key, _ in self.columns])
        return text.getvalue().encode()

    def picture(self, page: str, query: str, covered: int, narrow: bool) -> Markup:
        """Return the element that shows the drawing, in the scheme of the reader.

        Parameters
        ----------
        page, query
            Address of the page and its parameters.
        covered
            Record that the numbers count to: another record, another address, so that no old drawing is shown.
        """
        light, dark = (
            f"{page}/{self.name}.svg?{query}{'&' if query else ''}drawn={Look(scheme, narrow).name}&record={covered}"
            for scheme in (False, True)
        )
        width = Look(narrow=narrow).width_of(self.options)
        return Markup(  # noqa: S704  # both addresses are escaped
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{escape(dark)}">'
            f'<img src="{escape(light)}" alt="" width="{width}" loading="lazy" decoding="async"></picture>'
        )


def number_text(value: Any) -> str:
    """Return a number of a table: three decimals, thousands of counts, a dash for unknown.

    Examples
    --------
    >>> number_text(0.12345), number_text(12000), number_text("tmb")
    ('0.123', '12,000', 'tmb')
    """
    if value is None or (isinstance(value, float) and value != value):
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", MINUS)
    return f"{value:,}" if isinstance(value, int) else str(value)


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell(-0.5)
    ("'=1+1", -0.5)
    """
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def figure_file(figures: Sequence[Figure], name: str, looked: str, kept: KeptViews, of_view: Hashable) -> Response:
    """Return a figure's drawing (``tmb.svg``) or numbers (``tmb.csv``).

    Parameters
    ----------
    figures
        Of one view.
    name, looked
        The file, and the look that is asked for.
    kept, of_view
        Where drawings are kept, and which view these figures are of: another view, another drawing.

    Raises
    ------
    NoSuchPage
        When the page has no such figure.
    """
    stem, _, kind = name.rpartition(".")
    figure = next((one for one in figures if one.name == stem), None)
    if figure is None or kind not in ("svg", "csv"):
        raise NoSuchPage("there is no such figure on this page")
    if kind == "csv":
        headers = {**PAGE_HEADERS, "content-disposition": f'attachment; filename="{stem}.csv"'}
        return Response(figure.csv(), media_type="text/csv; charset=utf-8", headers=headers)
    look = Look.read(looked)
    drawn = kept.get((of_view, name, look), 0, lambda: svg(figure.drawing, figure.marks, look, figure.options))
    headers = {**PAGE_HEADERS, "cache-control": f"private, max-age={SVG_SECONDS}"}
    return Response(drawn, media_type="image/svg+xml", headers=headers)
