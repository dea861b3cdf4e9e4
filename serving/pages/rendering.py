"""Templates to pages: one Jinja environment that escapes everything, and the headers of a page."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from features.feature_titles import in_words
from models.intended_use import INTENDED_USE
from serving.pages import number_text
from serving.pages.case_view import class_name, lineage_name
from serving.pages.foreign_text import foreign

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"

STATIC_ADDRESS = "/audit/login/static"
"""Where stylesheet and mark are: open to everybody, because the login page shows them; nothing else lies there."""

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}
"""Of every page. No inline script or style: neither 'unsafe-inline' nor 'unsafe-eval' is in it."""

SECTIONS = (
    ("/audit/predictions", "Predictions"),
    ("/audit/explanations", "Explanations"),
    ("/audit/calibration", "Calibration"),
    ("/audit/integrity", "Integrity"),
    ("/audit/models", "Models"),
)
"""The navigation: address and name."""


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return the environment. A name that a template misspells is an error, not an empty place."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        percent=number_text.percent,
        signed=number_text.signed,
        number=number_text.number,
        count=number_text.count,
        moment=number_text.moment,
        words=number_text.words,
        foreign=foreign,
        feature_name=in_words,
        class_name=class_name,
        lineage_name=lineage_name,
    )
    found.globals.update(
        INTENDED_USE=INTENDED_USE, SECTIONS=SECTIONS, STATIC=STATIC_ADDRESS, UNKNOWN=number_text.UNKNOWN
    )
    return found


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """Return a page's text."""
    return templates().get_template(template).render(**context)


def page_response(text: str, status: int = 200) -> HTMLResponse:
    """Return a page with its headers."""
    return HTMLResponse(text, status_code=status, headers=PAGE_HEADERS)
