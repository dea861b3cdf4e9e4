"""The command line: ``oncorespond`` mounts the commands of each room and loads a room only when it is called.

Exit status: 0 done; 1 a bug of ours (please report it); 2 what was asked or given cannot be used; 3 an artefact, a
cohort, a contract or a reproduced run is not what it says it is; 4 a gate refused; 5 the answer is an abstention and
``--fail-on-abstain`` was given; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

for name, value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    # One thread per process: bitwise refits need it, and one-row answers are slower with more.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}.items():
    os.environ.setdefault(name, value)

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("oncorespond:demo", "The whole way on embedded synthetic cohorts, in about two minutes."),
    "cohort": ("features.commands:cohort_app", "Build, check and describe cohorts."),
    "features": ("features.commands_explain:features_app", "What the model would know about a case, and from where."),
    "schema": ("features.commands_explain:schema", "Print the JSON Schema of a case."),
    "train": ("experiments.commands:train", "Fit, judge and track an experiment."),
    "train-large": ("training.commands_large:train_large", "Fit a model on more cases than fit into memory."),
    "promote": ("experiments.commands:promote", "Give a tracked model an alias and put it where the service reads."),
    "update": ("experiments.commands:update", "Update a promoted model's calibration on local outcomes."),
    "reproduce": (
        "experiments.commands:reproduce",
        "Rebuild a tracked run and say what differs, to 1e-12 and byte for byte.",
    ),
    "compare": ("experiments.commands:compare", "Put runs side by side on the same patients, with paired intervals."),
    "ui": ("experiments.commands:ui", "Open MLflow's pages over the tracked experiments."),
    "predict": ("serving.commands:predict", "Answer one case on the terminal, with the reasons."),
    "score": ("serving.commands_bulk:score", "Score many cases into a Parquet file."),
    "serve": ("serving.commands_serve:serve", "Serve the promoted models over HTTP."),
    "keys": ("serving.security.commands:keys_app", "Who may ask the service: API keys; and the keys of the log."),
    "audit": ("serving.audit.commands:audit_app", "What was answered; whether the log still is what was written."),
}
"""Command to (module:attribute, one line of help). A module is imported only when its command is called."""


class LazyCommands(TyperGroup):
    """A group whose commands are imported when they are called, so that ``--help`` answers at once."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # typer's signature
        """Return the commands in the order of a newcomer's way."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        """Import one command; in the list of commands its one line of help stands in for it."""
        if cmd_name not in COMMANDS:
            return None
        target, short_help = COMMANDS[cmd_name]
        if cmd_name not in sys.argv[1:]:
            return TyperCommand(cmd_name, help=short_help)
        module, attribute = target.split(":")
        return _as_command(getattr(import_module(module), attribute), cmd_name)


def _as_command(found: Any, name: str) -> Any:
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command()(found)
        found = single
    command = typer.main.get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyCommands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # a traceback with local variables would print patient values
)


def _told_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"oncorespond {version('oncorespond')}")
        raise typer.Exit


@app.callback()
def _root(
    told: Annotated[
        bool, typer.Option("--version", callback=_told_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """How likely is an objective response to this therapy, for this patient, at this decision; how sure, and why.

    For research use only. A newcomer's first command is [bold]oncorespond demo[/bold].
    """


def demo(
    open_report: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the report in a browser when done.")
    ] = False,
) -> None:
    """Draw synthetic cohorts, train both families, promote them, answer one case of each, and fill an audit log.

    Nothing is read from anywhere and nothing leaves this machine. Every model, answer and page of it says SYNTHETIC.

    Example: [bold]oncorespond demo[/bold]
    """
    from experiments.demo import run_demo
    from serving.demo_log import fill_demo

    run_demo(open_report, fill_demo)


def main() -> None:
    """Run the command line; refusals are told without a traceback, with the exit status of their cause."""
    from features.errors import Refusal

    try:
        app()
    except Refusal as refusal:
        from rich.console import Console
        from rich.markup import escape

        Console(stderr=True).print(f"[bold red]refused:[/bold red] {escape(str(refusal))}", soft_wrap=True)
        sys.exit(refusal.exit_code)


if __name__ == "__main__":
    main()
