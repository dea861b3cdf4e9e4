"""Commands of the experiments room: ``train``, ``promote``, ``ui``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Change one setting; may be given several times. Values are YAML."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]

WIDTH_OF_A_FILE = 120
"""Characters of a line where the output is no terminal."""


def train(
    experiment: Annotated[Path, typer.Argument(help="Experiment file, such as experiments/checkpoint.yaml.")],
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for the resampling.")] = 2,
    tracking: Annotated[bool, typer.Option(help="Log to MLflow and register the model.")] = True,
    as_json: AsJson = False,
) -> None:
    """Fit, judge, store and track one experiment.

    Example: oncorespond train experiments/checkpoint.yaml --set cohorts.development=[loris-chowell-train]
    --set cohorts.external=[loris-msk1]
    """
    from rich.console import Console

    from experiments.config import read_experiment
    from experiments.progress import Progress
    from experiments.shown import print_run, run_json
    from experiments.start import run_experiment

    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    asked = read_experiment(experiment, overrides or [])
    progress = Progress(None if as_json else console)
    run = run_experiment(asked, progress, workers=workers, stem=experiment.stem, tracking=tracking)
    if as_json:
        typer.echo(json.dumps(run_json(run), allow_nan=False))
    else:
        print_run(run, console)


def promote(
    name: Annotated[str, typer.Argument(help="Registered model: checkpoint-response or targeted-response.")],
    version: Annotated[str, typer.Option(help="Version number or alias.")] = "challenger",
    force: Annotated[bool, typer.Option(help="Promote against the gate; needs --why.")] = False,
    why: Annotated[str, typer.Option(help="The reason of a forced promotion; it is recorded.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let the gate decide, then put the model where the service finds it ($ORP_MODELS, default ./served-models).

    Example: oncorespond promote checkpoint-response --version 3
    """
    from dataclasses import asdict

    from experiments.promotion import promote as promoted

    done = promoted(name, version, force=force, why=why)
    if as_json:
        typer.echo(json.dumps({"pointer": asdict(done.pointer), "gate": asdict(done.verdict), "forced": done.forced}))
        return
    for check in done.verdict.checks:
        typer.echo(f"{'holds' if check.holds else 'FAILS'}  {check.rule}: {check.found}")
    pointer = done.pointer
    typer.echo(f"{pointer.name} version {pointer.version} is now {pointer.alias} ({pointer.digest})")


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's pages over the tracked experiments, on this machine only.

    Example: oncorespond ui --port 5001
    """
    import subprocess

    from training.tracking import store_uri

    words = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store_uri(), "--host", "127.0.0.1"]
    raise typer.Exit(subprocess.run([*words, "--port", str(port)], check=False).returncode)  # noqa: S603 - no shell


def mount(app: typer.Typer) -> None:
    """Put this room's commands on the command line."""
    app.command()(train)
    app.command()(promote)
    app.command()(ui)
