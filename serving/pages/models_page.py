"""The models: which are served, what their cards say, and which answered when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.answer import model_of
from serving.pages.foreign_text import foreign
from serving.pages.log_counts import answered
from serving.pages.number_text import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.responses import Response

    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

DEEPEST = 6
"""Levels of a card that are shown; a deeper one would be a mistake of the card."""

MOST_ITEMS = 40
"""Entries of one level that are shown; the rest is counted."""

SHOWN_APART = frozenset({"name", "endpoint", "trained_on", "synthetic", "vocabulary"})
"""Parts of a card that the page's own rows have."""


def add_routes(pages: Pages) -> None:
    """Add ``/audit/models``."""
    pages.get("/audit/models", models_page)


def models_page(visit: Visit) -> Response:
    """Show the served models and the versions that the log knows."""
    predictor = visit.state.get_predictor()
    served = list(predictor.by_family.values()) if predictor else []
    cards = [
        {"family": one.family, **model_of(one), "card": list(card_rows(one.card)), "features": len(one.feature_names)}
        for one in served
    ]
    now = {f"{one['name']}/{one['version']}" for one in cards}
    return visit.show("models.html", cards=cards, versions=answered(visit.reader), now=now)


def card_rows(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return a card as path and value, in its order; lists and deep levels are cut and counted.

    Examples
    --------
    >>> list(card_rows({"fit": {"cases": 500, "seeds": [1, 2]}}))
    [('fit: cases', '500'), ('fit: seeds', '1, 2')]
    """
    rest = {name: value for name, value in card.items() if name not in SHOWN_APART}
    yield from _rows(rest, (), 0)


def _rows(value: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and depth < DEEPEST:
        items = list(value.items())
        for name, one in items[:MOST_ITEMS]:
            yield from _rows(one, (*path, str(name).replace("_", " ")), depth + 1)
        if len(items) > MOST_ITEMS:
            yield ": ".join(path), f"+{len(items) - MOST_ITEMS} more"
    else:
        yield foreign(": ".join(path)), _written(value)


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return foreign(", ".join(number(one) for one in value) or number(None), 300)
    if isinstance(value, dict):
        return foreign(value or number(None), 300)
    return foreign(number(value), 600)
