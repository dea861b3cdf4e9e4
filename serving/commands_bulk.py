"""``oncorespond score``: many cases, from Parquet to Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def score(
    source: Annotated[
        str,
        typer.Argument(
            help="A cohort folder; Parquet with dotted columns: a file, a folder, a glob, s3://...; or JSON Lines."
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="name@alias, name/version or an artefact folder.")],
    out: Annotated[str, typer.Option(help="The Parquet file to write.")] = "predictions.parquet",
    contributions: Annotated[
        str, typer.Option(help="all: a column per feature; grouped: eight sums; none: probability and interval alone.")
    ] = "all",
    workers: Annotated[int, typer.Option(help="Processes, one thread each; 0 is one per core.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler: local, tcp://host:8786 or a scheduler file (.json).")
    ] = None,
    block: Annotated[int, typer.Option(help="Cases per block: what an interrupted run does again.")] = 65_536,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away the blocks of an interrupted run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The counts as JSON.")] = False,
) -> None:
    """Score many cases: one row per case in input order, with every contribution; the same bytes however it is run.

    Rows that are no case have status refused, and their reasons in OUT.refused.jsonl. An interrupted run goes on where
    it stopped when the same command is given again.

    Example: [bold]oncorespond score cohorts/oak --model checkpoint-response@champion --out oak.parquet[/bold]
    """
    from models.named import load_named
    from serving.bulk import Options
    from serving.bulk import score as run
    from serving.bulk.bar import bar
    from serving.served_models import models_folder

    loaded = load_named(model, models_folder())
    options = Options(contributions, workers, block, scheduler, restart)  # type: ignore[arg-type]  # refused there
    with bar(hidden=as_json) as shown:
        task = shown.add_task("scoring", total=None)
        scored = run(source, loaded, out, options, lambda done, n: shown.update(task, completed=done, total=n))
    counts: dict[str, Any] = {name: getattr(scored, name) for name in ("cases", "predicted", "abstained", "refused")}
    if as_json:
        typer.echo(json.dumps({**counts, "out": out}))
        return
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    more = f"; {scored.resumed} were done by an earlier run" if scored.resumed else ""
    reasons = f"; why, in {Path(out).stem}.refused.jsonl" if scored.refused else ""
    typer.echo(f"{words}; written to {out}{more}{reasons}")
