"""``oncorespond demo``: the whole way on embedded synthetic cohorts, in a folder of its own.

Everything it makes lies in ``.demo/``: cohorts, runs, MLflow's store, the promoted models. Each step prints the command
that a user would type for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

DEMO = Path(".demo")
"""The one folder in which a synthetic model may be champion."""

FAMILIES: tuple[Literal["checkpoint"], Literal["targeted"]] = ("checkpoint", "targeted")


def run_demo(open_report: bool, further: Callable[[Path, Console], None] | None = None) -> None:
    """Draw synthetic cohorts, train both families, promote them, answer one case of each, write the reports.

    Parameters
    ----------
    open_report
        Open the report in a browser when done.
    further
        Called with the demo's folder before the last words; what stands on the models, such as a log of answers.
    """
    from experiments.shown import terminal

    console = terminal()
    started = time.monotonic()
    _settle_in()
    console.print("[bold]oncorespond demo[/bold]: SYNTHETIC cases only, everything in .demo/\n", highlight=False)
    for family in FAMILIES:
        _drawn(family, console)
    reports = [_trained_and_promoted(family, console) for family in FAMILIES]
    for family in FAMILIES:
        _answered(family, console)
    if further is not None:
        further(DEMO, console)
    _next_steps(console, reports, time.monotonic() - started)
    if open_report:
        typer.launch(str(reports[0]))


def _settle_in() -> None:
    """Point every store of this process, and of those it starts, into the demo's folder."""
    here = DEMO.absolute()
    here.mkdir(exist_ok=True)
    os.environ["ORP_COHORTS"] = str(here / "cohorts")
    os.environ["ORP_RUNS"] = str(here / "runs")
    os.environ["ORP_MODELS"] = str(here / "served-models")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{here / 'mlflow.db'}"


def _drawn(family: Literal["checkpoint", "targeted"], console: Console) -> None:
    """Draw the cohorts that the experiment file asks for, where it will look for them."""
    from experiments.config import read_experiment
    from features.sources.synthetic import write

    asked = read_experiment(_experiment_of(family), []).cohorts
    for cohort_id in (*asked.development, *asked.external):
        sites: Literal["development", "external"] = "external" if "external" in cohort_id else "development"
        out = DEMO / "cohorts" / cohort_id
        if not out.exists():
            write(family, asked.synthetic_cases, int(cohort_id.rpartition("-")[2]), out, cohort=sites)
        console.print(f"drawn: {asked.synthetic_cases} SYNTHETIC cases in {out}", highlight=False)


def _experiment_of(family: str) -> Path:
    return Path(__file__).parent / f"{family}_synthetic.yaml"


def _trained_and_promoted(family: str, console: Console) -> Path:
    from experiments.config import read_experiment
    from experiments.progress import Progress
    from experiments.promotion import promote
    from experiments.shown import print_run
    from experiments.start import run_experiment

    file = _experiment_of(family)
    console.rule(f"[bold]oncorespond train experiments/{file.name}[/bold]")
    run = run_experiment(read_experiment(file, []), Progress(console), workers=2, stem=file.stem)
    print_run(run, console, whole=False)
    console.rule(f"[bold]oncorespond promote {family}-response[/bold]")
    done = promote(f"{family}-response", force=True, why="the demo shows the way, not a model")
    console.print(
        f"{done.pointer.name} version {done.pointer.version}: gate {done.verdict.verdict}; "
        "promoted all the same, in .demo/ alone\n"
    )
    return run.report


def _answered(family: Literal["checkpoint", "targeted"], console: Console) -> None:
    from features.sources.synthetic import example_case

    path = DEMO / f"{family}.json"
    path.write_text(json.dumps(example_case(family), indent=2) + "\n", encoding="utf-8")
    console.rule(f"[bold]oncorespond predict {path}[/bold]")
    words = [sys.executable, str(Path(__file__).parent.parent / "oncorespond.py"), "predict", str(path)]
    subprocess.run(words, check=True)  # noqa: S603  # our own interpreter and file
    sys.stdout.flush()


def _next_steps(console: Console, reports: list[Path], seconds: float) -> None:
    shown = console.print
    console.rule("[bold]what next[/bold]")
    shown(f"Done in {seconds:.0f} s. The reports, each one self-contained page:")
    for report in reports:
        shown(f"  {os.path.relpath(report)}", highlight=False)
    shown("\n  [bold]make serve[/bold]   asks these models over HTTP, and shows the pages: http://127.0.0.1:3000/audit")
    shown("  [bold]make ui[/bold]      the tracked runs in MLflow's pages")
    shown("  [bold]source .venv/bin/activate; export ORP_MODELS=.demo/served-models[/bold]", highlight=False)
    shown("  [bold]oncorespond predict .demo/checkpoint.json --json[/bold]   the same answer for a machine")
    shown("  your own patients: docs/cohorts.md and docs/tutorial.md, then [bold]oncorespond train[/bold]")
