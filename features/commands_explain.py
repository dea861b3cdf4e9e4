"""``oncorespond schema`` and ``oncorespond features explain``: the record, and what the model would know of a case."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from features.errors import Refusal
from features.vocabulary import nearest

if TYPE_CHECKING:
    from features.contract import Shown
    from features.table import FeatureTable

features_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


class NoSuchRecord(Refusal):
    """A schema was asked for by a name that no record has."""

    code: ClassVar[str] = "no_such_record"


class NoSuchFile(Refusal):
    """A file to read is not there."""

    code: ClassVar[str] = "no_such_file"


@features_app.callback()
def _features() -> None:
    """What the model would know about a case, and from where."""


def schema(
    record: Annotated[str, typer.Argument(help="Which record; `case` is the one every door speaks.")] = "case",
) -> None:
    """Print the JSON Schema of a record.

    Example: [bold]oncorespond schema case > case.schema.json[/bold]
    """
    from features.case import Case

    if record != "case":
        raise NoSuchRecord(f"there is no record {record!r}", allowed=nearest(record, ["case"]) or ["case"])
    typer.echo(json.dumps(Case.model_json_schema(by_alias=True), indent=2, ensure_ascii=False))


def read_case_file(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file, or of standard input for ``-``.

    Raises
    ------
    NoSuchFile
        When there is no such file.
    Refusal
        When it is not one JSON object, or names a key twice.
    """
    from features.strict_json import strict_json

    if str(path) != "-" and not path.is_file():
        raise NoSuchFile(f"there is no file {path}", way_out="Name a JSON file, or - for standard input.")
    text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        found = strict_json(text)
    except ValueError as error:
        raise NotOneObject(f"{path} is not JSON: {str(error).rpartition(': ')[2]}") from None
    if not isinstance(found, dict):
        raise NotOneObject(f"{path} holds a JSON {type(found).__name__}, one object is asked for")
    return found


class NotOneObject(Refusal):
    """A file that should hold one JSON object holds something else."""

    code: ClassVar[str] = "not_one_object"


@features_app.command()
def explain(
    case: Annotated[Path, typer.Argument(help="A case as JSON, or - for standard input.")],
    maf: Annotated[Path | None, typer.Option(help="MAF or VCF file that fills the case's alterations.")] = None,
    sample: Annotated[str | None, typer.Option(help="Tumor_Sample_Barcode (or VCF sample) to take from it.")] = None,
    as_of: Annotated[float, typer.Option(help="Rebuild the case this many days before its index date.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Show every feature of one case, the evidence behind it, and what was unknown.

    Example: [bold]oncorespond features explain case.json --maf tumour.maf --sample P-1[/bold]
    """
    from features.case import read_case
    from features.from_cases import batch_of
    from features.regimens import regimen
    from features.table import FeatureTable

    raw = read_case_file(case)
    if maf is not None:
        from features.sources.maf import alterations_of

        raw = {**raw, "alterations": alterations_of(maf, sample)}
    read = read_case(raw)
    if as_of:
        from features.as_of import case_as_of

        read = case_as_of(read, as_of)
    batch = batch_of([read])
    family = regimen(batch.texts["therapy"].levels[0]).family
    table = FeatureTable.for_family(family if family in ("checkpoint", "targeted") else "targeted")
    shown = table.readings(batch, 0)
    if as_json:
        typer.echo(json.dumps(_as_dict(table, shown, table.warnings(batch, 0)), indent=2, ensure_ascii=False))
    else:
        _print(table, shown, table.warnings(batch, 0))


def _as_dict(table: FeatureTable, shown: dict[str, Shown], warnings: list[str]) -> dict[str, Any]:
    entries = [
        {
            "feature": item.feature,
            "group": item.group,
            "value": item.value,
            "unit": item.unit,
            "text": item.text,
            "sources": list(item.sources),
            "unknown": list(item.unknown),
        }
        for item in shown.values()
    ]
    return {"family": table.family, "features": entries, "warnings": warnings}


def _print(table: FeatureTable, shown: dict[str, Shown], warnings: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(title=f"What the {table.family} family would know", show_lines=False)
    for heading, share in (("reading", 4), ("from", 3), ("not known", 3)):
        grid.add_column(heading, overflow="fold", ratio=share)
    group = ""
    for item in shown.values():
        if item.group != group:
            group = item.group
            grid.add_section()
            grid.add_row(f"[bold]{group.replace('_', ' ')}[/bold]")
        cells = (item.text, "; ".join(item.sources), "; ".join(item.unknown))
        grid.add_row(*(escape(cell) for cell in cells))
    console = Console()
    console.print(grid)
    for warning in warnings:
        console.print(f"[yellow]note[/yellow] {escape(warning)}")
