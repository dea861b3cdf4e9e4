"""Charts: named drawings of Vega-Altair, from rows of numbers to SVG, on the server through vl-convert.

A drawing gets a chart over the named data ``rows``, so that Altair checks the drawing and not each of its rows. Altair
is imported when the first chart is drawn (a second, once), which :func:`warm` does off the request path.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serving.pages.chart_look import Look

    Drawing = Callable[[Any, Look, Mapping[str, Any]], Any]

DRAWINGS = ("serving.pages.chart_explanations", "serving.pages.chart_calibration")
"""Modules whose public functions are drawings."""


@lru_cache(maxsize=32)
def drawing(name: str) -> Drawing:
    """Return a drawing by its name."""
    found: Drawing = next(getattr(module, name) for module in map(import_module, DRAWINGS) if hasattr(module, name))
    return found


def svg(name: str, rows: Sequence[Mapping[str, Any]], look: Look, options: Mapping[str, Any]) -> str:
    """Return a chart as SVG.

    Parameters
    ----------
    name
        Of a drawing.
    rows
        What it draws, one mapping per mark; numbers, texts and None.
    options
        What the drawing is told beside the rows, such as the title of an axis.
    """
    import vl_convert

    spec = specification(name, look, options)
    spec["datasets"] = {**spec.get("datasets", {}), "rows": list(rows)}
    found: str = vl_convert.vegalite_to_svg(spec)
    return found


def specification(name: str, look: Look, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Vega-Lite specification of a drawing, without its rows."""
    import altair as alt

    found: dict[str, Any] = drawing(name)(alt.Chart(alt.NamedData("rows")), look, options).to_dict()
    # Labels belong to the width; small multiples cannot be fitted and leave room for theirs by themselves.
    fitted = {} if "facet" in found else {"autosize": {"type": "fit-x", "contains": "padding"}}
    return {"padding": 2, **found, **fitted, "config": look.config()}


@lru_cache(maxsize=1)
def warm() -> threading.Thread:
    """Import Altair and draw one chart in a thread, once, so that no page waits for it: 1.2 to 2.5 s, measured."""
    from serving.pages.chart_look import Look

    rows = [{"label": "a", "value": 1.0}]
    thread = threading.Thread(target=svg, args=("bars", rows, Look(), {"x": ""}), name="pages-charts", daemon=True)
    thread.start()
    return thread
