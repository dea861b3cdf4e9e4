"""The command line: every bad case of the golden table, exit status, help; never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import patch

import pytest

import oncorespond
from tests.cases import golden, good_case

BAD = golden("bad_cases")


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run ``main`` in this process as the shell would."""
    with patch.object(sys, "argv", ["oncorespond", *words]), pytest.raises(SystemExit) as left:
        oncorespond.main()
    shown = capsys.readouterr()
    return int(left.value.code or 0), shown.out, shown.err


@pytest.mark.parametrize("row", BAD, ids=[row["case"] for row in BAD])
def test_bad_cases_are_refused_without_a_traceback(
    row: dict[str, str], tmp_path: Path, served_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(good_case(**json.loads(row["input"]))), encoding="utf-8")
    model = str(served_models / "checkpoint-response-1")
    status, out, err = _run(["predict", str(path), "--model", model], capsys)
    assert status == 2
    assert not out
    assert row["fragment"] in " ".join(err.split())
    assert row["field"] in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "status", "fragment"),
    [
        (["predict", "nowhere.json"], 2, "there is no file"),
        (["schema", "cohort"], 2, "there is no record"),
        (["predict", "{bad}"], 2, "is not JSON"),
        (["predict", "{list}"], 2, "one object is asked for"),
        (["predict", "{good}", "--model", "checkpoint-response@nobody"], 3, "no model is called"),
        (["score", "{good}", "--model", "{model}"], 2, "is no cohort folder"),
        (["cohort", "describe", "nowhere"], 2, ""),
        (["train", "nowhere.yaml"], 2, ""),
        (["predikt"], 2, ""),
    ],
)
def test_other_refusals_say_what_to_do(
    words: list[str],
    status: int,
    fragment: str,
    tmp_path: Path,
    served_models: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = {"bad": "{", "list": "[]", "good": json.dumps(good_case())}
    for name, text in texts.items():
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    places = {name: str(tmp_path / f"{name}.json") for name in texts} | {
        "model": str(served_models / "checkpoint-response-1")
    }
    found, _, err = _run([word.format(**places) if word.startswith("{") else word for word in words], capsys)
    assert found == status, err
    assert fragment in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize("command", list(oncorespond.COMMANDS))
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _run([command, "--help"], capsys)
    assert status == 0
    assert "Example" in out or command in {"cohort", "features"}


def test_the_version_is_that_of_the_project(project_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _run(["--version"], capsys)
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (status, out.strip()) == (0, f"oncorespond {project['version']}")


def test_help_answers_without_loading_a_room(project_root: Path) -> None:
    code = "import sys, oncorespond; sys.argv = ['oncorespond', '--help']\n"
    code += "try: oncorespond.main()\nexcept SystemExit: pass\n"
    code += (
        "print([m for m in sys.modules if m.split('.')[0] in ('pandas', 'mlflow', 'sklearn', 'lightgbm', 'bentoml')])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("[]")


def test_an_abstention_can_fail_the_command(
    tmp_path: Path, served_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(good_case(therapy={"agents": ["nivolumab", "vemurafenib"]})), encoding="utf-8")
    words = ["predict", str(path), "--model", str(served_models / "checkpoint-response-1"), "--json"]
    status, out, _ = _run([*words, "--fail-on-abstain"], capsys)
    answer = json.loads(out)
    assert answer["status"] == "abstained"
    assert status == 5
    assert answer["reasons"][0]["code"]
