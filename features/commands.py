"""``oncorespond cohort``: build, build-all, check and describe."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.cohort import Cohort

cohort_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")

MANIFESTS = Path(__file__).resolve().parent.parent / "experiments" / "cohorts"
"""The manifests that ship with the project."""

JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")]


@cohort_app.callback()
def _cohort() -> None:
    """Build, check and describe cohorts."""


def cohorts_folder() -> Path:
    """Return where cohorts lie: ``$ORP_COHORTS``, or ``./cohorts``."""
    return Path(os.environ.get("ORP_COHORTS") or "cohorts")


def load(name: str) -> Cohort:
    """Load a cohort by its folder, or by its id under :func:`cohorts_folder`."""
    from features.cohort import Cohort
    from features.cohort_refusals import CohortNotFound

    folder = Path(name)
    if not folder.is_dir() and not (cohorts_folder() / name).is_dir():
        raise CohortNotFound(
            f"there is no cohort {name!r}, neither a folder nor in $ORP_COHORTS ({cohorts_folder().name}/)",
            allowed=sorted(path.parent.name for path in cohorts_folder().glob("*/cohort.json")),
            way_out="Build one with `oncorespond cohort build`.",
        )
    return Cohort.load(folder if folder.is_dir() else cohorts_folder() / name)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))


@cohort_app.command()
def build(
    manifest: Annotated[Path, typer.Argument(help="The YAML mapping.", show_default=False)],
    source: Annotated[Path, typer.Option(help="The table, or the folder that holds it.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; by default the cohort's id under $ORP_COHORTS or ./cohorts.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a spreadsheet.")] = None,
    arm: Annotated[str | None, typer.Option(help="One arm of the manifest; all arms together by default.")] = None,
    as_json: JSON = False,
) -> None:
    """Build a cohort from any table or study folder by a YAML mapping.

    Every row becomes a case or is left out with a reason; columns and values that were not read are listed.
    The language of a mapping, with a whole one to start from, is in docs/cohorts.md.

    For example:

    [bold]oncorespond cohort build experiments/cohorts/loris.yaml
    --source AllData.xlsx --sheet MSK1 --out DIR[/bold]

    [bold]oncorespond cohort build experiments/cohorts/oak.yaml --source ../shared/data/oak --arm atezolizumab[/bold]
    """
    from rich.console import Console

    from features.cohort_pages import show_build
    from features.sources.manifest import build as build_cohort

    cohort = build_cohort(manifest, source, sheet, arm)
    folder = cohort.save(out or cohorts_folder() / cohort.provenance.cohort_id)
    if as_json:
        _print_json(_built(cohort, folder))
    else:
        show_build(Console(), cohort.provenance.cohort_id, str(folder), cohort.build or {})
        typer.echo(f"next  oncorespond cohort describe {folder}")


def _built(cohort: Cohort, folder: Path) -> dict[str, Any]:
    return {
        "cohort_id": cohort.provenance.cohort_id,
        "folder": str(folder),
        "content_hash": cohort.content_hash,
        "cases": len(cohort),
        "build": cohort.build,
    }


@dataclass(frozen=True)
class Planned:
    """One cohort that ``build-all`` builds: a manifest with a sheet or an arm."""

    manifest: Path
    folder: str
    sheet: str | None = None
    arm: str | None = None

    @property
    def title(self) -> str:
        """As the progress bar shows it."""
        return " ".join(part for part in (self.manifest.stem, self.sheet, self.arm) if part)


def planned(manifests: Path) -> Iterator[Planned]:
    """Yield every sheet and arm of every manifest of a folder, in order of file names."""
    from features.sources.manifest_schema import read_manifest

    for path in sorted(manifests.glob("*.yaml")):
        rules = read_manifest(path)
        folder = rules.folder or path.stem
        if rules.sheets:
            yield from (Planned(path, folder, sheet=sheet) for sheet in rules.sheets)
        elif rules.arms:
            yield from (Planned(path, folder, arm=arm) for arm in rules.arms)
        else:
            yield Planned(path, folder)


@cohort_app.command("build-all")
def build_all(
    shared: Annotated[Path, typer.Option(help="Folder with data/<name> for each manifest, or the folders themselves.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; by default $ORP_COHORTS or ./cohorts.")] = None,
    manifests: Annotated[Path, typer.Option(help="Folder of manifests.", show_default=False)] = MANIFESTS,
    as_json: JSON = False,
) -> None:
    """Build every cohort whose source is at hand: each sheet and each arm by itself.

    Example: [bold]oncorespond cohort build-all --shared ../shared[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    from features.cohort_pages import show_build
    from features.sources.manifest import build as build_cohort

    data = shared / "data" if (shared / "data").is_dir() else shared
    plans = list(planned(manifests))
    console = Console(stderr=as_json)
    built: list[dict[str, Any]] = []
    absent: list[str] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("cohorts", total=len(plans))
        for plan in plans:
            progress.update(task, description=plan.title)
            if (data / plan.folder).is_dir():
                cohort = build_cohort(plan.manifest, data / plan.folder, plan.sheet, plan.arm)
                folder = cohort.save((out or cohorts_folder()) / cohort.provenance.cohort_id)
                built.append(_built(cohort, folder))
                if not as_json:
                    show_build(progress.console, cohort.provenance.cohort_id, str(folder), cohort.build or {})
            else:
                absent.append(plan.title)
            progress.advance(task)
    if as_json:
        _print_json({"built": built, "source_absent": absent})
    elif absent:
        console.print(f"no source at hand for: {', '.join(absent)}")


@cohort_app.command()
def check(
    cohort: Annotated[str, typer.Argument(help="Folder or id of a cohort.", show_default=False)],
    against: Annotated[list[str] | None, typer.Option(help="Folder or id of another; may be repeated.")] = None,
    as_json: JSON = False,
) -> None:
    """Check a cohort, and list probable same patients in others beside the number that chance gives.

    Example: [bold]oncorespond cohort check loris-vanguri-nsclc --against loris-chowell-train[/bold]
    """
    from rich.console import Console

    from features.cohort_pages import show_overlap
    from features.overlap import overlap

    first = load(cohort)
    found = [overlap(first, load(other)) for other in against or ()]
    if as_json:
        _print_json(
            {
                "cohort_id": first.provenance.cohort_id,
                "content_hash": first.content_hash,
                "cases": len(first),
                "valid": True,
                "against": [one.to_dict() for one in found],
            }
        )
        return
    console = Console()
    console.print(
        f"{first.provenance.cohort_id}: {len(first)} cases, content as it was written ({first.content_hash[:19]}...)"
    )
    for one in found:
        show_overlap(console, one)


@cohort_app.command()
def describe(
    cohort: Annotated[str, typer.Argument(help="Folder or id of a cohort.", show_default=False)],
    by: Annotated[
        list[str] | None, typer.Option(help="Gene or driver class to set against response; may be repeated.")
    ] = None,
    calls: Annotated[str, typer.Option(help="any or nonsynonymous calls, in --by.")] = "any",
    specimen: Annotated[str | None, typer.Option(help="tissue or blood only, in --by.")] = None,
    as_json: JSON = False,
) -> None:
    """Say what a cohort holds: responders both ways with exact intervals, histologies, what is unknown, findings.

    For example:

    [bold]oncorespond cohort describe loris-msk1[/bold]

    [bold]oncorespond cohort describe oak-atezolizumab --by STK11 --by KEAP1 --specimen blood[/bold]
    """
    from rich.console import Console

    from features.cohort_pages import show_description, show_two_way
    from features.counts import check_calls, two_way
    from features.describe import describe as described

    loaded = load(cohort)
    tables = two_way(loaded, by or (), calls=check_calls(calls), specimen=specimen)
    found = described(loaded)
    if as_json:
        _print_json({**found, "by": [row.to_dict() for row in tables]})
        return
    console = Console()
    show_description(console, found)
    if tables:
        show_two_way(console, tables)
