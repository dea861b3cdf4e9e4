"""``oncorespond predict``: one case, or one case under several therapies."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from models.response import ResponseModel
    from serving.predictor import Predictor

ModelName = Annotated[
    str | None,
    typer.Option("--model", help="name@alias, name/version or an artefact folder; by default the therapy picks it."),
]


def predict(
    case: Annotated[
        Path, typer.Argument(help="A case as JSON (see `oncorespond schema case`), or - for standard input.")
    ],
    model: ModelName = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON, for a machine.")] = False,
    fail_on_abstain: Annotated[bool, typer.Option(help="Exit with 5 when the answer is an abstention.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also save what the terminal shows, as an SVG.")] = None,
) -> None:
    r"""Answer one case: a probability with its interval and the reasons, or an abstention.

    Example: [bold]oncorespond predict docs/examples/checkpoint.json[/bold]

    With [bold]"therapies": \[...][/bold] in place of "therapy", every therapy is answered, in order.
    """
    from features.commands_explain import read_case_file
    from serving.body import cases_of

    cases, several = cases_of(read_case_file(case))
    predictor = _predictor(model)
    if several:
        predictor.refuse_unjudged(cases)
    answers = predictor.answers(cases)
    for read, answer in zip(cases, answers, strict=True):
        answer["prediction_id"] = _content_id(read.model_dump_json(), answer)
    if as_json:
        typer.echo(json.dumps({"answers": answers} if several else answers[0], indent=2, ensure_ascii=False))
    else:
        _print(answers, [_title(read) for read in cases], picture)
    if fail_on_abstain and any(answer["status"] == "abstained" for answer in answers):
        raise typer.Exit(5)


def _predictor(model: str | None) -> Predictor:
    """Return all promoted models, or the one that is named; on a terminal the answer itself says SYNTHETIC."""
    from serving.predictor import Predictor
    from serving.served_models import models_folder

    if model is None:
        return Predictor.from_folder(models_folder(), synthetic=True)
    named = _named(model)
    return Predictor({named.family: named})


def _named(name: str) -> ResponseModel:
    from models.named import load_named
    from serving.served_models import models_folder

    return load_named(name, models_folder())


def _content_id(case: str, answer: dict[str, Any]) -> str:
    from serving.predictor import content_id

    return content_id(case + answer["model"]["digest"])


def _title(case: Any) -> str:
    from features.histology import row
    from serving.predictor import case_regimen

    return f"{case.case_id or 'case'}: {row(case.histology).name}, {case_regimen(case)}"


_FONT_FROM_ELSEWHERE = re.compile(r"\s*@font-face \{[^}]*\}")
"""Rich names a font on a public host; a picture of ours asks nobody, and falls back to the reader's monospace."""


def _print(answers: list[dict[str, Any]], titles: list[str], picture: Path | None) -> None:
    from rich.console import Console

    from serving.terminal import PANEL_WIDTH, shown_answer

    console = Console(record=picture is not None, width=PANEL_WIDTH if picture else None)
    for answer, title in zip(answers, titles, strict=True):
        console.print(shown_answer(answer, title))
    if picture is not None:
        drawn = console.export_svg(title="oncorespond predict")
        picture.write_text(_FONT_FROM_ELSEWHERE.sub("", drawn), encoding="utf-8")
