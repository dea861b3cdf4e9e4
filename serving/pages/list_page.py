"""The list of predictions: filter, sort, page through, and take along as CSV or Parquet. The address is the filter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from features.feature_titles import in_words
from serving.pages.case_view import WRITTEN, class_name, histology_name
from serving.pages.foreign_text import foreign
from serving.pages.log_query import CHOICES, ROWS, Asked
from serving.pages.number_text import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from serving.pages.log_follow import Listing
    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

ADDRESS = "/audit/predictions"

MOST_CODES = 2
"""Warnings that a row names; the others are counted."""

NAMES = {
    "since": "from",
    "until": "before",
    "version": "model",
    "therapy_class": "therapy class",
    "disagrees": "against biology",
    "low": "probability from",
    "high": "probability to",
}
"""Filters whose key is not the word a reader looks for."""

REVIEWS = ("agree", "query", "reject", "any", "none")


def add_routes(pages: Pages) -> None:
    """Add the list."""
    pages.get(ADDRESS, list_page)


def list_page(visit: Visit) -> Response:
    """Show one page of the predictions that the address asks for; FilterRefused where it asks for what there is not."""
    asked = Asked.read(visit.asked)
    listing = visit.reader.listing(asked)
    if asked.page > listing.pages:  # the filter finds less than when the address was written
        return visit.go(f"{ADDRESS}?{asked.address(page=listing.pages)}")
    choices = visit.reader.choices()
    return visit.show(
        "predictions.html",
        asked=asked,
        listing=listing,
        last=min(listing.first + ROWS - 1, listing.total),
        rows=[row_of(one) for one in listing.rows],
        fields=fields_of(asked, choices),
        months=choices["months"],
        chips=chips_of(asked),
        sorts=sorts_of(asked),
        exports=asked.address(page=1),
        neighbours=neighbours_of(asked, listing),
    )


def row_of(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one prediction as a row is written."""
    warnings = [code for code in json.loads(one["warnings"] or "[]") if code != "synthetic_model"]
    lineage = str(one["lineage"] or "").split("/")
    return {
        **one,
        "histology_code": foreign(lineage[0], 20),
        "histology_name": histology_name(lineage[0]),
        "class_name": class_name(one["therapy_class"]),
        "model": f"{foreign(one['model_name'], 40).removesuffix('-response')} {foreign(one['model_version'], 20)}",
        "codes": [words(code) for code in warnings[:MOST_CODES]],
        "more_codes": max(0, len(warnings) - MOST_CODES),
        "shown_alterations": [foreign(text, 30) for text in one["alterations"][:3]],
        "more_alterations": max(0, len(one["alterations"]) - 3),
    }


def fields_of(asked: Asked, choices: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """Return the fields of the filter form, in the order in which an analyst thinks."""
    return [
        _field(asked, "since", "From", kind="date"),
        _field(asked, "until", "Before", kind="date"),
        _chosen(asked, "version", "Model version", choices["version"]),
        _chosen(asked, "therapy_class", "Therapy class", choices["therapy_class"], class_name),
        _suggested(asked, "histology", "Histology", choices["histology"], "OncoTree code"),
        _field(asked, "alteration", "Alteration", hint="BRAF or BRAF p.V600E"),
        _chosen(asked, "status", "Status", CHOICES["status"]),
        _chosen(asked, "warning", "Warning", choices["warning"], words),
        _chosen(asked, "reason", "Reason of abstention", choices["reason"], words),
        _chosen(asked, "outcome", "Outcome", CHOICES["outcome"], words),
        _chosen(asked, "decision", "Decision", CHOICES["decision"]),
        _chosen(asked, "review", "Review", REVIEWS),
        _chosen(asked, "disagrees", "Against biology in", choices["disagrees"], in_words),
        _chosen(asked, "caller", "Asked by", choices["caller"], foreign),
        _field(asked, "low", "Probability from", unit="0 to 1", hint="0.25"),
        _field(asked, "high", "Probability to", unit="0 to 1", hint="0.75"),
    ]


def _field(asked: Asked, name: str, label: str, **more: Any) -> dict[str, Any]:
    value = getattr(asked, name) or ""
    if more.get("kind") == "date" and len(value) == len("2026-11"):
        value += "-01"  # a month is the first of its days; a date field shows nothing else
    return {"name": name, "label": label, "value": value, **more}


def _chosen(asked: Asked, name: str, label: str, values: Iterable[str], written: Any = words) -> dict[str, Any]:
    given = getattr(asked, name)
    known = list(values)
    if given and given not in known:  # what no prediction has is still what was asked for
        known.append(given)
    options = [(value, str(written(value)) if written is not words or name != "version" else value) for value in known]
    return {"name": name, "label": label, "value": given or "", "kind": "choice", "options": options}


def _suggested(asked: Asked, name: str, label: str, values: Iterable[str], hint: str) -> dict[str, Any]:
    return _field(asked, name, label, hint=hint, options=[(value, histology_name(value)) for value in values])


def chips_of(asked: Asked) -> list[tuple[str, str, str]]:
    """Return the filters that are set: name, value, and the address without it."""
    return [
        (NAMES.get(name, name), _chip(name, value), asked.address(page=1, **{name: _usual(name)}))
        for name, value in asked.filters.items()
    ]


def _chip(name: str, value: str) -> str:
    return foreign(WRITTEN.get(name, words)(value), 60)


def _usual(name: str) -> str | None:
    return "prediction" if name == "kind" else None


def sorts_of(asked: Asked) -> dict[str, dict[str, str]]:
    """Return, for each sortable column, the address that sorts by it and how it is sorted now."""
    found = {}
    for name in CHOICES["sort"]:
        here = asked.sort == name
        order = "asc" if here and asked.order == "desc" else "desc"
        now = ("descending" if asked.order == "desc" else "ascending") if here else "none"
        found[name] = {"address": f"{ADDRESS}?{asked.address(sort=name, order=order, page=1)}", "now": now}
    return found


def neighbours_of(asked: Asked, listing: Listing) -> dict[str, str | None]:
    """Return the addresses of the first, previous, next and last page; None where there is none."""

    def at(page: int) -> str:
        return f"{ADDRESS}?{asked.address(page=page)}"

    before, after = asked.page > 1, asked.page < listing.pages
    return {
        "first": at(1) if before else None,
        "previous": at(asked.page - 1) if before else None,
        "next": at(asked.page + 1) if after else None,
        "last": at(listing.pages) if after else None,
    }
