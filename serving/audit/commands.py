"""``oncorespond audit``: list, show, verify, replay, export; and the upkeep of the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from serving.audit.commands_upkeep import archive, erase, head, migrate
from serving.audit.opened_log import Columns, DatabaseUrl, KeysFolder, all_keys, database_of, print_rows

if TYPE_CHECKING:
    from serving.audit.verifying import Verdict

audit_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")
"""Mounted as ``oncorespond audit``."""

MOST_PROBLEMS = 20
"""Problems of one kind that ``verify`` prints before it counts."""

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for a machine.")]


@audit_app.callback()
def _audit() -> None:
    """What was answered, to whom, by which model; whether the log still is what was written.

    The database is $ORP_DATABASE_URL (default sqlite:///audit/audit.db), the keys are in $ORP_KEYS (default ./keys).

    Example: [bold]oncorespond audit verify --head /mnt/elsewhere/audit.heads.jsonl[/bold]
    """


@audit_app.command("list")
def list_records(
    since: Annotated[str | None, typer.Option(help="UTC, such as 2026-11-22 or 2026-11-22T08:00.")] = None,
    until: Annotated[str | None, typer.Option(help="UTC; not included.")] = None,
    kind: Annotated[str | None, typer.Option(help="prediction, shadow, outcome, decision, review, erasure.")] = None,
    status: Annotated[str | None, typer.Option(help="predicted, abstained, taken, overridden ...")] = None,
    family: Annotated[str | None, typer.Option(help="checkpoint or targeted.")] = None,
    therapy_class: Annotated[str | None, typer.Option(help="Such as pd1_pdl1.")] = None,
    lineage: Annotated[str | None, typer.Option(help="An OncoTree code: NSCLC finds LUAD.")] = None,
    warning: Annotated[str | None, typer.Option(help="A warning code.")] = None,
    reason: Annotated[str | None, typer.Option(help="A reason code.")] = None,
    caller: Annotated[str | None, typer.Option(help="Who asked.")] = None,
    patient: Annotated[str | None, typer.Option(help="A patient_id; found under every active key.")] = None,
    newest: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 20,
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """List records by their clear columns, the newest first.

    Example: [bold]oncorespond audit list --since 2026-11-22 --status abstained[/bold]
    """
    from serving.audit.moments import moment
    from serving.audit.reading import Filter, listed, nowhere
    from serving.audit.sealing import pseudonyms

    refs = None if patient is None else pseudonyms(all_keys(keys), "patient", patient)
    wanted = Filter(
        since=moment(since, "--since"),
        until=moment(until, "--until"),
        kind=kind,
        status=status,
        family=family,
        therapy_class=therapy_class,
        lineage=lineage,
        warning=warning,
        reason=reason,
        caller=caller,
        patient_refs=refs,
        newest=newest,
    )
    opened = database_of(database)
    rows = listed(opened, wanted)
    print_rows(rows, Columns.LIST, as_json)
    for said in [] if rows else nowhere(opened, wanted):
        typer.echo(said, err=True)


@audit_app.command()
def show(
    record_id: Annotated[str, typer.Argument(help="A prediction id, or the id of any record.")],
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one record opened, and what was later said of it. Needs the keys; values of a patient are printed.

    Example: [bold]oncorespond audit show 3ee98d35-c437-47e0-b23a-b05e540d4568 --json[/bold]
    """
    from serving.audit.reading import looked_up

    logged = looked_up(database_of(database), record_id, all_keys(keys))
    shown: dict[str, Any] = {
        "record": dict(logged.row),
        "erased": logged.erased,
        "payload": logged.payload,
        "later": [{"record": dict(one.row), "payload": one.payload} for one in logged.later],
    }
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    print_rows([logged.row, *(one.row for one in logged.later)], Columns.LIST, False)
    typer.echo("its values were erased" if logged.erased else json.dumps(logged.payload, ensure_ascii=False, indent=2))


@audit_app.command()
def verify(
    head: Annotated[Path | None, typer.Option(help="A head file kept elsewhere: finds a cut-off end.")] = None,
    archive: Annotated[Path | None, typer.Option(help="Folder of sealed segments, to verify them as well.")] = None,
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Verify every record, the chain, the signed heads and the wrapped keys; name what is not as it was written.

    The public halves of the signing keys are enough; with the data keys, wrapped keys are opened too. Exit status 3
    when something is wrong. Without a head kept elsewhere it cannot be found that the log's end, its heads and the
    head file were cut off together.

    Example: [bold]oncorespond audit verify --head /mnt/elsewhere/audit.heads.jsonl[/bold]
    """
    from features.errors import Refusal
    from serving.audit import keys as key_files
    from serving.audit.heads import heads_file, read_heads
    from serving.audit.verifying import verify as verified

    opened = database_of(database)
    files = [path for path in (heads_file(opened.engine.url), head) if path is not None]
    if head is not None and not head.is_file():
        raise typer.BadParameter(f"there is no file {head}", param_hint="--head")
    heads = [one for path in files if path.is_file() for one in read_heads(path)]
    try:
        data = all_keys(keys).data
    except Refusal:
        data = None
    verdict = verified(opened, key_files.public_keys(key_files.keys_folder(keys)), heads, data, archive)
    _tell(verdict, data is not None, as_json)
    if not verdict.good:
        raise typer.Exit(3)


def _tell(verdict: Verdict, keys_opened: bool, as_json: bool) -> None:
    if as_json:
        whole = {**vars(verdict), "problems": [vars(problem) for problem in verdict.problems], "good": verdict.good}
        typer.echo(json.dumps({**whole, "keys_opened": keys_opened}))
        return
    for kind in dict.fromkeys(problem.kind for problem in verdict.problems):
        texts = [problem.text for problem in verdict.problems if problem.kind == kind]
        for text in texts[:MOST_PROBLEMS]:
            typer.echo(f"{kind}: {text}")
        if len(texts) > MOST_PROBLEMS:
            typer.echo(f"{kind}: +{len(texts) - MOST_PROBLEMS} more; all of them: --json")
    looked = "their wrapped keys opened" if keys_opened else "their wrapped keys not opened (no data keys here)"
    found = "good" if verdict.good else "NOT AS WRITTEN"
    typer.echo(
        f"{found}: {verdict.records} records, {looked}; {verdict.erased} erased, "
        f"{verdict.archived} archived and not looked into; {verdict.heads} heads; last {verdict.last[1][:16]}"
    )


@audit_app.command()
def replay(
    record_id: Annotated[str | None, typer.Argument(help="A prediction id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every prediction of the log.")] = False,
    models: Annotated[list[Path] | None, typer.Option(help="Folders of artefacts; default $ORP_MODELS.")] = None,
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compute logged answers again with the artefact of their digest, and compare to 1e-12.

    Exit status 3 when one differs.

    Example: [bold]oncorespond audit replay --all[/bold]
    """
    from serving.audit.reading import looked_up
    from serving.audit.replay import Artefacts, replay_all, replayed
    from serving.served_models import models_folder

    if (record_id is None) != everything:
        raise typer.BadParameter("give a prediction id, or --all")
    artefacts, opened, loaded = Artefacts(models or [models_folder()]), database_of(database), all_keys(keys)
    one = [] if record_id is None else [replayed(looked_up(opened, record_id, loaded), artefacts)]
    counts: dict[str, int] = {}
    for result in one or replay_all(opened, loaded, artefacts):
        counts[result.result] = counts.get(result.result, 0) + 1
        if as_json:
            typer.echo(json.dumps(vars(result)))
        elif result.result != "equal":
            differs = f": {', '.join(result.differs[:10])}, by up to {result.largest:.3g}" if result.differs else ""
            typer.echo(f"{result.result}: record {result.seq} ({result.record_id}){differs}")
    if not as_json:
        typer.echo(", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing to replay")
    if counts.get("different") or counts.get("unreadable"):
        raise typer.Exit(3)


@audit_app.command()
def export(
    out: Annotated[Path, typer.Argument(help="The file to write: .jsonl, .csv or .parquet.")],
    form: Annotated[
        Literal["jsonl", "csv", "parquet"] | None,
        typer.Option("--format", help="Where the ending does not say it."),
    ] = None,
    values: Annotated[bool, typer.Option("--values", help="Also cases and events; needs the keys.")] = False,
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the log for analysts: never free text, ids as pseudonyms, ages over 89 as 90+.

    Example: [bold]oncorespond audit export log.parquet[/bold]
    """
    from serving.audit.export import exported
    from serving.audit.export_files import write_export

    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}; make it first", param_hint="out")
    count = write_export(exported(database_of(database), all_keys(keys) if values else None, values), out, form)
    typer.echo(json.dumps({"records": count, "out": str(out)}) if as_json else f"{count} records written to {out}")


for upkeep in (head, erase, archive, migrate):
    audit_app.command()(upkeep)
