"""The first page: what the log holds, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.pages.log_counts import counts

if TYPE_CHECKING:
    from starlette.responses import Response

    from serving.pages.opening import Pages
    from serving.pages.visit import Visit


def add_routes(pages: Pages) -> None:
    """Add ``/audit``."""
    pages.get("/audit", overview)


def overview(visit: Visit) -> Response:
    """Show what the log holds, and where to look."""
    return visit.show("overview.html", counts=counts(visit.reader), behind=visit.reader.catch_up())
