"""``oncorespond train-large``: a model fitted on more cases than fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train_large(
    cases: Annotated[
        str,
        typer.Argument(help="Parquet with dotted columns and `objective_response`: a file, a folder, a glob, s3://..."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the artefact.")],
    trained_on: Annotated[str, typer.Option(help="What the cases are, for the model's card.")],
    family: Annotated[str, typer.Option(help="checkpoint or targeted.")] = "checkpoint",
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The cases are synthetic; the card says so.")] = False,
    scheduler: Annotated[
        str, typer.Option(help="A Dask scheduler: local, tcp://host:8786 or a scheduler file (.json).")
    ] = "local",
    workers: Annotated[int, typer.Option(help="Processes of a local cluster.")] = 2,
    memory: Annotated[str, typer.Option(help="Memory of each of them, such as 1.5GB.")] = "auto",
) -> None:
    """Fit one model on many cases, partition by partition, and write its artefact; one patient in twenty is held out.

    Row groups are the partitions: a worker must hold one of them. What differs from `train` is in docs/benchmarks.md.

    Example: [bold]oncorespond train-large 'cases/*.parquet' --out large --trained-on "our registry"[/bold]
    """
    from features.sources.published_arms import arms
    from models.artifact import save_artifact
    from models.evidence import EvidenceTerm
    from models.settings import ResponseSettings
    from training.distributed import Recipe, train
    from training.distributed_parts import files_at, partitions_of

    card: dict[str, Any] = {
        "name": f"{family}-response",
        "endpoint": "orr",
        "trained_on": trained_on,
        "synthetic": synthetic,
    }
    evidence = EvidenceTerm.fit([arm for arm in arms() if arm.family == family])
    partitions = partitions_of(files_at(cases))
    found = train(partitions, Recipe(family, ResponseSettings(), evidence, card), scheduler, workers, memory)
    saved = save_artifact(found.model, out)
    typer.echo(
        f"fitted on {found.cases} cases in {len(partitions)} partitions; AUROC {found.auroc:.4f} on {found.held_out} "
        f"that were held out; written to {out} ({saved.identity.digest[:19]})"
    )
