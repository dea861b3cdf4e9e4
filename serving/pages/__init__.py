"""Pages for the people who audit explanations: server-rendered, under /audit, behind the audit role.

::

    state.py rendering.py visit.py opening.py refusals.py    what a page stands on: log, templates, one request, routes
    foreign_text.py number_text.py                           how outside text and numbers are written
    scales.py reasons_view.py case_view.py                   one answer as it is drawn and read
    sensitivity.py plausible_ranges.py alike.py              what would change it; similar past cases
    log_*.py contribution_cube.py kept_views.py              the log as columns, followed and counted
    bulk_*.py calibration_*.py compare_*.py chart*.py        explanations in bulk, calibration, versions, their charts
    <name>_page.py list_export.py                            one page each: ``add_routes(pages)``
    templates/ static/                                       layout, macros, stylesheet; nothing comes from elsewhere

:func:`add_pages` puts them all into the application. No page holds a script that it needs; charts are SVG drawn here.
"""

from __future__ import annotations

from serving.pages.opening import add_pages
from serving.pages.state import PagesState

__all__ = ["PagesState", "add_pages"]
