"""Commands of the experiments room: ``train``, ``promote``, ``update``, ``reproduce``, ``compare``, ``ui``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Change one setting; may be given several times. Values are YAML."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]

ALSO = (
    "Beside the resampling (evaluation.also in the file): internal_external (leave each development cohort out),"
    " histologies_out, classes_out, control_arm, survival, ablation (each combination of terms), learning_curve"
    " (growing shares of the patients), permutations (the null of the within-histology AUROC, which the gate asks for)."
)

NOT_REPRODUCED = 3
"""Exit status: what is on disk is not what it says it is."""


def train(
    experiment: Annotated[Path, typer.Argument(help="Experiment file, such as experiments/checkpoint.yaml.")],
    overrides: Overrides = None,
    also: Annotated[str, typer.Option("--with", metavar="A,B", help=ALSO)] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes for the resampling.")] = 2,
    tracking: Annotated[bool, typer.Option(help="Log to MLflow and register the model.")] = True,
    as_json: AsJson = False,
) -> None:
    """Fit, judge, store and track one experiment.

    Example: oncorespond train experiments/checkpoint.yaml --set resampling.repeats=2 --with ablation,permutations
    """
    from experiments.config import read_experiment
    from experiments.progress import Progress
    from experiments.shown import print_run, run_json, terminal
    from experiments.start import run_experiment

    console = terminal()
    asked = read_experiment(experiment, [*(overrides or []), *([f"evaluation.also=[{also}]"] if also else [])])
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
    alias: Annotated[str, typer.Option(help="champion is served; challenger answers in shadow.")] = "champion",
    models: Annotated[
        Path | None, typer.Option(help="Where it is put; by default $ORP_MODELS, for a challenger its challengers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the gate decide, then put the model where the service finds it ($ORP_MODELS, default ./served-models).

    With --alias challenger it is put where the service's shadow mode looks ($ORP_MODELS/challengers).

    Example: oncorespond promote checkpoint-response --version 3
    """
    from dataclasses import asdict

    from experiments.promotion import promote as promoted

    done = promoted(name, version, alias=alias, force=force, why=why, models=models)
    if as_json:
        typer.echo(json.dumps({"pointer": asdict(done.pointer), "gate": asdict(done.verdict), "forced": done.forced}))
        return
    for check in done.verdict.checks:
        typer.echo(f"{'holds' if check.holds else 'FAILS'}  {check.rule}: {check.found}")
    pointer = done.pointer
    typer.echo(f"{pointer.name} version {pointer.version} is now {pointer.alias} ({pointer.digest})")


def update(
    name: Annotated[str, typer.Argument(help="Promoted model: checkpoint-response or targeted-response.")],
    cohort: Annotated[str, typer.Option("--on", metavar="COHORT", help="Cohort of local outcomes: id or folder.")],
    version: Annotated[str, typer.Option("--as", metavar="VERSION", help="Version of the new model: 3-our-site.")],
    alias: Annotated[str, typer.Option(help="challenger answers in shadow; champion is served.")] = "challenger",
    models: Annotated[Path | None, typer.Option(help="Promoted models; by default $ORP_MODELS.")] = None,
    as_json: AsJson = False,
) -> None:
    """Update the level of a promoted model on local outcomes (and its slope, with 100 responders and 100 others).

    The result is a version of its own; its card says what it was before and after. Ranks stay.

    Example: oncorespond update checkpoint-response --on cohorts/our-site --as 3-our-site
    """
    from experiments.local_version import in_words, update_promoted, updated_json

    done = update_promoted(name, cohort, version, alias=alias, models=models)
    if as_json:
        typer.echo(json.dumps(updated_json(done)))
        return
    for line in in_words(done):
        typer.echo(line)


def reproduce(
    run: Annotated[str, typer.Argument(help="Run id, NAME/VERSION or NAME@ALIAS.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes for the resampling.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Rebuild a run from what it logged; say whether cases, forecasts (to 1e-12) and the artefact's bytes are the same.

    Exit status 3 when they are not.

    Example: oncorespond reproduce checkpoint-response@challenger
    """
    from experiments.progress import Progress
    from experiments.reproduce import in_words, reproduce_run, reproduction_json
    from experiments.shown import terminal

    console = terminal()
    found = reproduce_run(run, Progress(None if as_json else console), workers)
    if as_json:
        typer.echo(json.dumps(reproduction_json(found)))
    else:
        for line in in_words(found):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not found.holds:
        raise typer.Exit(NOT_REPRODUCED)


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more: run ids, NAME/VERSION or NAME@ALIAS.")],
    page: Annotated[Path | None, typer.Option("--html", help="Write the comparison as one HTML file too.")] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Resamples of the paired bootstrap.")] = 2000,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same patients: every metric, and paired intervals of each run less the first.

    Example: oncorespond compare checkpoint-response/1 checkpoint-response/2 --html compared.html
    """
    from experiments.compare import compare_runs, comparison_json
    from experiments.compare_shown import print_comparison, write_page
    from experiments.shown import terminal

    found = compare_runs(runs, resamples=resamples)
    if page is not None:
        write_page(found, page)
    if as_json:
        typer.echo(json.dumps(comparison_json(found), allow_nan=False))
    else:
        print_comparison(found, terminal())


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
    or_demo: Annotated[bool, typer.Option("--or-demo", help="Without runs here, show those of the demo.")] = False,
) -> None:
    """Open MLflow's pages over the tracked experiments, on this machine only.

    The store is $MLFLOW_TRACKING_URI (default SQLite, runs/mlflow.db).

    Example: oncorespond ui --port 5001
    """
    from experiments.tracking_pages import serve_tracking_pages

    raise typer.Exit(serve_tracking_pages(port, or_demo=or_demo, say=typer.echo))
