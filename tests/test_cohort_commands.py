"""``oncorespond cohort``: what a user types, what a machine reads, and what is said when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from features.cohort import Cohort
from features.commands import cohort_app, planned
from features.sources.manifest_refusals import SourceNotFound
from tests.test_manifest import RULES, SHEET


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest and its source; cohorts go to a folder beside it."""
    monkeypatch.setenv("ORP_COHORTS", str(tmp_path / "cohorts"))
    (tmp_path / "manifests").mkdir()
    (tmp_path / "data" / "inv").mkdir(parents=True)
    arms = {"lung": {"Type": "NSCLC"}, "skin": {"Type": "Melanoma"}}
    rules = {**RULES, "folder": "inv", "arms": arms}
    (tmp_path / "manifests" / "inv.yaml").write_text(yaml.safe_dump(rules))
    (tmp_path / "manifests" / "other.yaml").write_text(yaml.safe_dump({**RULES, "folder": "elsewhere"}))
    (tmp_path / "data" / "inv" / "t.csv").write_text(SHEET)
    return tmp_path


def run(*words: object) -> str:
    """Run a command and return what it printed."""
    result = CliRunner().invoke(cohort_app, [str(word) for word in words], env={"COLUMNS": "200"})
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_build_and_describe(source: Path) -> None:
    text = run("build", source / "manifests" / "inv.yaml", "--source", source / "data" / "inv")
    assert "3 cases of 5 rows" in text
    assert "COLUMNS NOT MAPPED (1): Mystery" in text
    assert Cohort.load(source / "cohorts" / "invented").provenance.cohort_id == "invented"
    assert "1/3 (33.3%, 0.8 to 90.6)" in run("describe", "invented")
    assert json.loads(run("describe", "invented", "--by", "KRAS", "--json"))["cases"] == 3


def test_build_as_json_names_the_arm(source: Path) -> None:
    out = source / "out"
    words = (
        "build",
        source / "manifests" / "inv.yaml",
        "--source",
        source / "data" / "inv" / "t.csv",
        "--arm",
        "skin",
        "--out",
        out,
        "--json",
    )
    found = json.loads(run(*words))
    assert (found["cohort_id"], found["cases"], found["folder"]) == ("invented-skin", 1, str(out))
    assert found["content_hash"] == Cohort.load(out).content_hash


def test_build_all_builds_what_is_at_hand(source: Path) -> None:
    found = json.loads(run("build-all", "--shared", source, "--manifests", source / "manifests", "--json"))
    assert [entry["cohort_id"] for entry in found["built"]] == ["invented-lung", "invented-skin"]
    assert found["source_absent"] == ["other"]


def test_check_says_who_may_be_the_same(source: Path) -> None:
    run("build", source / "manifests" / "inv.yaml", "--source", source / "data" / "inv")
    assert "content as it was written" in run("check", "invented")
    found = json.loads(run("check", "invented", "--against", "invented", "--json"))
    assert found["against"][0]["probable_overlap"] is True
    assert "patient ids in common: 3" in run("check", "invented", "--against", "invented")


def test_a_source_that_is_not_there(source: Path) -> None:
    with pytest.raises(SourceNotFound):
        run("build", source / "manifests" / "inv.yaml", "--source", source / "nowhere.csv")


def test_every_command_has_an_example() -> None:
    for command in ("build", "build-all", "check", "describe"):
        assert "oncorespond cohort" in run(command, "--help")


def test_shipped_manifests_plan_every_sheet_and_arm(project_root: Path) -> None:
    titles = [plan.title for plan in planned(project_root / "experiments" / "cohorts")]
    assert titles == [
        "braun nivolumab",
        "braun everolimus",
        "liu",
        "loris Chowell_train",
        "loris MSK1",
        "loris Shim_NSCLC",
        "loris Vanguri_NSCLC",
        "loris MSK_nonICB",
        "oak atezolizumab",
        "oak docetaxel",
        "rizvi18",
        "summit-biliary",
    ]
