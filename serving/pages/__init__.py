"""Pages for the people who audit explanations: server-rendered, under /audit, behind the audit role.

::

    state.py rendering.py visit.py opening.py     what a page stands on: the log, templates, one request, its routes
    foreign_text.py number_text.py                how outside text and numbers are written
    templates/ static/                            layout, macros, stylesheet; nothing is fetched from elsewhere
    <name>_page.py                                one page each: ``add_routes(pages)``

:func:`add_pages` puts them all into the application. No page holds a script that it needs; charts are SVG drawn here.
"""

from __future__ import annotations

from serving.pages.opening import add_pages
from serving.pages.state import PagesState

__all__ = ["PagesState", "add_pages"]
