"""The model card for people: HTML and Markdown with the same words, and CHAI's XML, beside the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.chai_card import chai_xml
from training.report_tables import SHOWN_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CARD_FILES = ("model-card.html", "model-card.md", "model-card.json", "chai-model-card.xml")
"""What :func:`write_card` writes."""


LONGEST_CELL = 90
"""Characters of a cell of the data sheet; the JSON has it whole."""


@dataclass(frozen=True)
class Section:
    """A heading with sentences, and a table of texts below them (headings first); either may be empty."""

    title: str
    sentences: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def write_card(card: Mapping[str, Any], digest: str, folder: Path) -> list[Path]:
    """Write a card as HTML, Markdown, JSON and CHAI XML; the same card gives the same bytes."""
    contents = (
        card_html(card, digest).encode(),
        card_markdown(card, digest).encode(),
        (json.dumps(dict(card), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        chai_xml(card, digest),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(CARD_FILES, contents, strict=True):
        (folder / name).write_bytes(content)
    return [folder / name for name in CARD_FILES]


def sections(card: Mapping[str, Any], digest: str) -> list[Section]:
    """Return the card in words, in the order in which a reader asks."""
    question = card["question"]
    about = [("what", "said")] + [(key.replace("_", " "), str(words)) for key, words in question.items()]
    identity = (f"{card['name']}, endpoint {card['endpoint']}, trained on {card['trained_on']}.", f"Artefact {digest}.")
    return [
        Section("What it is", identity),
        Section(
            "Intended use", (card["intended_use"], card["no_recommendation"], f"Users: {'; '.join(card['users'])}.")
        ),
        Section("Not for", tuple(f"{one[0].upper()}{one[1:]}." for one in card["not_for"])),
        Section("The question", (), tuple(about)),
        _population(card["population"]),
        _data_sheet(card["data_sheet"]),
        _sample_size(card),
        _performance(card["performance"]),
        *(_further(table) for table in card["subgroups"]),
        Section("Fairness", tuple(card["fairness"])),
        Section("Limits", tuple(card["limits"])),
        _features(card["features"]),
        Section("Maintenance", tuple(card["maintenance"])),
        Section("Versions", (), (("of", "version"), *((name, str(one)) for name, one in card["versions"].items()))),
        _tripod(card["tripod_ai"]),
    ]


def _population(people: Mapping[str, Any]) -> Section:
    if people.get("cases") is None:
        return Section("Population", (str(people.get("note", "not described")),))
    first = f"{people['cases']} cases of {people['patients']} patients, {people['responders']} with a response."
    kinds = ("histologies", "therapy_classes", "prior_lines", "sex", "race")
    rows = [(kind.replace("_", " "), ", ".join(f"{name}: {n}" for name, n in people[kind].items())) for kind in kinds]
    return Section("Population", (first,), (("by", "cases"), *rows))


def _data_sheet(sheets: Sequence[Mapping[str, Any]]) -> Section:
    head = ("cohort", "role", "source", "assay", "endpoint", "denominator", "licence", "content hash")
    keys = ("cohort_id", "role", "source", "assay", "endpoint", "denominator", "licence", "content_hash")
    rows = [tuple(str(one.get(key) or "not said")[:LONGEST_CELL] for key in keys) for one in sheets]
    return Section("Data sheet", (), (head, *rows)) if rows else Section("Data sheet", ("No patient-level cohort.",))


def _sample_size(card: Mapping[str, Any]) -> Section:
    size = card.get("sample_size")
    if size is None:
        return Section("Sample size", ("Not computed.",))
    enough = "UNDERPOWERED: fewer" if card.get("underpowered") else "As many"
    words = (
        f"{enough} cases ({size['cases']:.0f}) than Riley's criteria ask for ({size['needed']}) at "
        if card.get("underpowered")
        else f"{size['cases']:.0f} cases; Riley's criteria ask for {size['needed']} at "
    )
    return Section("Sample size", (f"{words}{size['effective_parameters']:.1f} effective parameters.",))


def _performance(rows: Sequence[Mapping[str, Any]]) -> Section:
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    head = ("cohort", "scene", "events/n", "abstained", *(SHOWN_METRICS.get(name, name) for name in names))
    body = [
        (
            str(row["cohort"]),
            str(row["scene"]),
            f"{row['events']}/{row['n']}",
            str(row["abstained"]),
            *(_estimate(row["metrics"].get(name)) for name in names),
        )
        for row in rows
    ]
    return Section("Performance with calibration", ("Values with 95% intervals.",), (head, *body))


def _estimate(one: Any) -> str:
    """Write an estimate as stored in the card.

    Examples
    --------
    >>> _estimate({"value": 0.5, "low": 0.4, "high": 0.6}), _estimate(None)
    ('0.500 (0.400 to 0.600)', '-')
    """
    if not isinstance(one, dict):
        return "-" if one is None else (f"{one:.3f}" if isinstance(one, float) else str(one))
    if one.get("value") is None:
        return "-"
    interval = "" if one.get("low") is None else f" ({one['low']:.3f} to {one['high']:.3f})"
    return f"{one['value']:.3f}{interval}"


def _further(table: Mapping[str, Any]) -> Section:
    keys = [column["key"] for column in table["columns"]]
    head = tuple(str(column["heading"]) for column in table["columns"])
    body = [tuple(_estimate(row.get(key)) for key in keys) for row in table["rows"]]
    return Section(str(table["title"]), tuple(table["notes"]), (head, *body))


def _features(features: Sequence[Mapping[str, Any]]) -> Section:
    head = ("feature", "group", "units", "when unknown", "expected sign", "source of the sign")
    signs = {1: "+", -1: "-", 0: "none"}
    body = [
        (
            str(one["feature"]),
            str(one["group"]),
            ", ".join(one["units"]),
            str(one["missing"]),
            signs[one["expected_sign"]],
            str(one["sign_source"]),
        )
        for one in features
    ]
    return Section("Features", (), (head, *body))


def _tripod(tripod: Mapping[str, Any]) -> Section:
    unanswered = (
        f"Unanswered: {', '.join(tripod['unanswered'])}." if tripod["unanswered"] else "Every item is answered."
    )
    body = [(str(one["item"]), str(one["asks"]), str(one["answer"] or "UNANSWERED")) for one in tripod["items"]]
    return Section("TRIPOD+AI", (unanswered, f"Items: {tripod['source']}."), (("item", "asks", "answer"), *body))


def card_markdown(card: Mapping[str, Any], digest: str) -> str:
    """Return the card as Markdown."""
    marked = (
        ["> **SYNTHETIC**: fitted on invented cases; nothing here is about patients.", ""] if card["synthetic"] else []
    )
    lines = [f"# Model card: {card['name']}", "", *marked]
    for section in sections(card, digest):
        lines += [f"## {section.title}", "", *(f"- {sentence}" for sentence in section.sentences)]
        lines += [""] if section.sentences else []
        lines += _markdown_table(section.table)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(table: Sequence[Sequence[str]]) -> list[str]:
    if not table:
        return []
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in table]
    rule = ["---"] * len(rows[0])
    return ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])] + [""]


def card_html(card: Mapping[str, Any], digest: str) -> str:
    """Return the card as one self-contained page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("card.html")
    return page.render(card=card, sections=sections(card, digest))
