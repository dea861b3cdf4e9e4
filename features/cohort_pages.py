"""Cohorts on the terminal: what a build did, what a cohort holds, whom two cohorts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from features.counts import Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from features.counts import TwoWay
    from features.overlap import Overlap

MOST_LISTED = 12
"""Columns, values or pairs that a page lists before it says how many more."""


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _share(found: Mapping[str, Any]) -> str:
    return Share(found["responders"], found["n"]).text


def _some(names: Sequence[str]) -> str:
    more = f", +{len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def show_build(console: Console, cohort_id: str, place: str, build: Mapping[str, Any]) -> None:
    """Print what became of a source: rows kept and left out, values not understood, columns not read."""
    console.print(f"[bold]{cohort_id}[/bold]: {build['cases']} cases of {build['rows_read']} rows -> {place}")
    for entry in build["left_out"]:
        console.print(f"  left out {entry['count']}: {entry['reason']}", markup=False)
    for field, values in build["unreadable"].items():
        console.print(f"  not understood in {field}: {_some([f'{v!r} x{n}' for v, n in values.items()])}", markup=False)
    for what, times in build["made_unknown"].items():
        console.print(f"  unknown by the manifest, {times}: {what}", markup=False)
    for name, counts in build["findings"].items():
        told = ", ".join(f"{what} {times}" for what, times in counts.items())
        console.print(f"  {name}: {told}", markup=False)
    for label, names in (
        ("columns absent in this source", build["absent_columns"]),
        ("columns after the index date, never read", build["after_index"]),
        ("columns not used, reason in the manifest", list(build["not_used"])),
        ("COLUMNS NOT MAPPED", build["unmapped"]),
    ):
        if names:
            console.print(f"  {label} ({len(names)}): {_some(names)}", markup=False)
    if build["unmapped"]:
        console.print("  name each in the manifest, under `fields`, or under `not_used` with the reason", markup=False)
    for note in build["notes"]:
        console.print(f"  {note}", markup=False)


def show_description(console: Console, found: Mapping[str, Any]) -> None:
    """Print a description of :func:`features.describe.describe`."""
    origin = found["provenance"]
    mark = "  [bold red]SYNTHETIC[/bold red]" if origin["synthetic"] else ""
    console.print(f"[bold]{origin['cohort_id']}[/bold]  {origin['title']}{mark}")
    console.print(f"{origin['source']}; {origin['licence']}; {origin['assay']}", markup=False)
    console.print(
        f"endpoint {origin['endpoint']}, denominator {origin['denominator']}, {found['cases']} cases of"
        f" {found['patients']} patients, {found['sequenced']} with findings, {found['content_hash'][:19]}..."
    )
    _show_response(console, found["response"])
    for title, rows in (
        ("Therapies", found["therapies"]),
        ("Histologies", found["histologies"]),
        ("Prior lines", found["prior_lines"]),
    ):
        console.print(_groups(title, rows))
    _show_counts(console, found)
    console.print(_missing(found["missing"], found["cases"]))


def _show_response(console: Console, response: Mapping[str, Any]) -> None:
    console.print(
        f"Responders: {_share(response['estimand'])} with NE as no response; {_share(response['evaluable'])} evaluable"
    )
    told = ", ".join(f"{name} {times}" for name, times in response["best_response"].items())
    console.print(f"Best response: {told}; without outcome {response['without_outcome']}")
    for reason, times in response["reasons"].items():
        console.print(f"  {times}: {reason}", markup=False)


def _groups(title: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _table(title, "", "cases", "responders, NE as none", "responders, evaluable")
    for row in rows:
        name = f"{row['name']} {row['title']}" if "title" in row else row["name"]
        table.add_row(name, str(row["cases"]), _share(row["estimand"]), _share(row["evaluable"]))
    return table


def _show_counts(console: Console, found: Mapping[str, Any]) -> None:
    for title, counts in (("Panels", found["panels"]), ("Specimens", found["specimens"])):
        console.print(f"{title}: " + ", ".join(f"{name} {times}" for name, times in counts.items()), markup=False)
    if found["sequenced"]:
        for title, rows in (("Genes altered", found["genes"]), ("Driver classes", found["driver_classes"])):
            told = [f"{row['name']} {row['cases']}" for row in rows]
            console.print(f"{title} (cases of {found['sequenced']}): {', '.join(told)}", markup=False)
        read = found["notations"]
        console.print(f"Findings read: {read['read']}, not understood: {read['unreadable']}")


def _missing(missing: Mapping[str, int], cases: int) -> Table:
    table = _table("Unknown, by field (fields that no case has are left out)", "field", "unknown", "share")
    for field, times in missing.items():
        table.add_row(field, str(times), f"{100 * times / cases:.0f}%" if cases else "")
    return table


def show_two_way(console: Console, rows: Sequence[TwoWay]) -> None:
    """Print two-way tables with exact intervals; each p stands alone, uncorrected."""
    table = _table("Finding against response (tested cases)", "therapy", "finding", "with it", "without", "Fisher p")
    for row in rows:
        table.add_row(row.therapy, row.finding, row.with_it.text, row.without.text, f"{row.fisher_p:.3f}")
    console.print(table)


def show_overlap(console: Console, found: Overlap) -> None:
    """Print probable same patients, and how many chance alone gives."""
    verdict = "probably the same patients" if found.probable else "no more than chance explains"
    if not found.decisive and not found.same_patient_ids:
        verdict = "too few measured fields in common to tell persons apart"
    fields = ", ".join(f"{path} within {width:g}" for path, width in found.fields.items()) or "none"
    who = f"[bold]{found.cohort}[/bold] against [bold]{found.against}[/bold]"
    how_many = f"{found.matched} of {found.cases} cases match, {found.expected:.1f} expected by chance"
    console.print(f"{who}: {how_many}: {verdict}")
    console.print(f"fields compared: tissue, {fields}; patient ids in common: {found.same_patient_ids}", markup=False)
    table = _table("Pairs", found.cohort, found.against, "also agree", "differ")
    for pair in found.pairs[:MOST_LISTED]:
        table.add_row(pair.case, pair.against, ", ".join(pair.also_agree), ", ".join(pair.differ))
    if found.pairs:
        console.print(table)
    if len(found.pairs) > MOST_LISTED:
        console.print(f"+{len(found.pairs) - MOST_LISTED} more pairs; --json lists all")
