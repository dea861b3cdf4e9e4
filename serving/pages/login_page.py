"""The page at which a browser signs in; what it sends is taken by :mod:`serving.security.login`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from serving.pages.rendering import page_response, rendered

if TYPE_CHECKING:
    from serving.pages.opening import Pages


def add_routes(pages: Pages) -> None:
    """Add ``GET /audit/login``, which is open to everybody."""

    @pages.app.get("/audit/login", include_in_schema=False)
    async def login_page(request: Request) -> Response:
        asked = request.query_params
        return page_response(rendered("login.html", {"failed": "failed" in asked, "ended": "ended" in asked}))
