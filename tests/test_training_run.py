"""A whole run on a few synthetic cases: fitted in folds, the same bytes twice, tracked, gated, promoted in a demo."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.config import read_experiment
from experiments.progress import Progress
from experiments.promotion import GateRefused, SyntheticChampion, promote
from experiments.shown import print_run, run_json
from experiments.start import run_experiment
from features.sources.synthetic import draw
from models.artifact import load_artifact
from models.pointer import load_promoted
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from training.fit import Recipe, fit_model
from training.pool import Pool
from training.resampling import resample
from training.split import repeated_folds
from training.tracking import RunNotFound, find_version

# Of mlflow 3.17 on its own imports and queries; they go with the first mlflow that does without.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

QUICK = [
    "cohorts.synthetic_cases=160",
    "resampling.repeats=1",
    "resampling.folds=2",
    "evaluation.bootstraps=50",
    "evaluation.comparators=[base_rate, histology_base_rate, loris_pan_cancer]",
    "model.folds=2",
    "model.linear.penalties=[30]",
    "terms.evidence=false",
]


def quick(extra=()):
    path = Path(__file__).resolve().parent.parent / "experiments" / "checkpoint_synthetic.yaml"
    return read_experiment(path, [*QUICK, *extra])


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run in a folder named .demo, tracked in a store of its own."""
    folder = tmp_path_factory.mktemp("run") / ".demo"
    folder.mkdir()
    before, variable = Path.cwd(), os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    os.chdir(folder)
    try:
        run = run_experiment(quick(), Progress(), stem="quick")
        with pytest.raises(RunNotFound, match="Allowed: 1"):  # before any test promotes it
            find_version("checkpoint-response", "champion")
        yield run, folder
    finally:
        os.chdir(before)
        os.environ.pop("MLFLOW_TRACKING_URI")
        if variable is not None:
            os.environ["MLFLOW_TRACKING_URI"] = variable


def test_a_run_judges_our_model_beside_its_rivals(demo):
    run, _ = demo
    found = [(row.scene, row.predictor) for row in run.evaluation.rows]
    predictors = ("model", "base_rate", "histology_base_rate", "loris_pan_cancer")
    assert found[:4] == [("resampled", name) for name in predictors]
    assert ("external", "model") in found
    assert json.dumps(run_json(run), allow_nan=False)


@pytest.mark.parametrize("width", [80, 120])
def test_its_tables_fit_the_terminal(demo, width):
    told = io.StringIO()
    print_run(demo[0], Console(file=told, width=width))
    tables = told.getvalue().partition("report  ")[0]
    assert "AUROC" in tables
    assert ("Brier and CITL: in the report" in " ".join(tables.split())) is (width == 80)
    for line in tables.splitlines():
        assert len(line) <= width
        assert re.search(r"…(\s|$)", line) is None, "a number or a name is cut"


def test_its_artefact_loads_and_says_what_it_is(demo):
    run, folder = demo
    model = load_artifact(folder / run.folder / "artefact", digest=run.model.identity.digest)
    assert model.card["synthetic"] is True
    assert model.card["trained_on"] == "synthetic-checkpoint-development-1"
    assert model.card["underpowered"] is True
    text = (folder / run.folder / "artefact" / "card.json").read_text()
    assert str(folder) not in text


def test_its_report_is_one_file_marked_synthetic(demo):
    run, folder = demo
    page = (folder / run.report).read_text()
    assert "SYNTHETIC" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="data:image/png;base64' in page
    assert str(folder) not in page


def test_it_is_tracked_with_what_it_takes_to_find_it_again(demo):
    run, _ = demo
    found = find_version("checkpoint-response")
    assert found.tags["synthetic"] == "true"
    assert found.tags["endpoint"] == "orr"
    assert found.tags["artefact.digest"] == run.model.identity.digest
    import mlflow

    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    logged = mlflow.get_run(run.tracked.run_id)
    assert logged.data.params["resampling.folds"] == "2"
    assert "code.commit" in logged.data.tags
    assert int(logged.data.tags["seconds"]) >= 0
    assert logged.data.tags["cohorts"].startswith("synthetic-checkpoint-development-1 (development)")
    assert "resampled.synthetic-checkpoint-development-1.auroc" in logged.data.metrics
    assert {one.dataset.name for one in logged.inputs.dataset_inputs} == {
        "synthetic-checkpoint-development-1",
        "synthetic-checkpoint-external-1",
    }


def test_the_gate_refuses_and_force_needs_a_reason(demo):
    _, folder = demo
    with pytest.raises(GateRefused, match="insufficient"):
        promote("checkpoint-response", models=folder / "served")
    with pytest.raises(GateRefused, match="needs its reason"):
        promote("checkpoint-response", models=folder / "served", force=True)


def test_a_synthetic_model_is_champion_in_the_demo_only(demo, tmp_path):
    run, folder = demo
    with pytest.raises(SyntheticChampion, match=r"nothing outside \.demo/"):
        promote("checkpoint-response", models=tmp_path, force=True, why="a test")
    done = promote("checkpoint-response", models=folder / "served", force=True, why="a test")
    assert done.forced
    assert done.pointer.digest == run.model.identity.digest
    assert find_version("checkpoint-response", "champion").tags["gate.forced_why"] == "a test"
    assert load_promoted(folder / "served", "checkpoint-response").identity.version == "1"


def test_the_same_run_in_another_folder_gives_the_same_bytes(demo, tmp_path, monkeypatch):
    run, folder = demo
    monkeypatch.chdir(tmp_path)
    again = run_experiment(quick(), Progress(), stem="quick", tracking=False)
    assert again.folder == run.folder
    assert again.model.identity.digest == run.model.identity.digest
    for name in ("evaluation.json", "experiment.json", "report/report.html"):
        assert (again.folder / name).read_bytes() == (folder / run.folder / name).read_bytes()


def recipe():
    settings = ResponseSettings(
        evidence=False, linear=LinearSettings(penalties=(30.0,)), boosted=BoostedSettings(on=False), folds=2
    )
    card = {"endpoint": "orr", "trained_on": "invented", "synthetic": True}
    return Recipe("checkpoint-response", "checkpoint", settings, None, (), ("histology_base_rate",), card)


def test_a_fold_never_sees_the_outcomes_it_is_judged_on():
    pool = Pool.of([draw("checkpoint", 80, 3)])
    first = resample(recipe(), pool, folds=2, repeats=1, seed=1)[0].forecasts[0].values[0]
    fold = next(iter(_splits(pool)))
    alone = fit_model(recipe(), pool.take(fold.train)).answers(pool.take(fold.test).batch()).scores.probability
    assert np.array_equal(first[fold.test], alone)


def _splits(pool):
    return repeated_folds(pool.patients, pool.outcome, pool.source, folds=2, repeats=1, seed=1)


@pytest.mark.soak
def test_processes_make_no_difference():
    pool = Pool.of([draw("checkpoint", 80, 3)])
    one, two = (resample(recipe(), pool, folds=2, repeats=4, seed=1, workers=w)[0] for w in (1, 2))
    for ours, theirs in zip(one.forecasts, two.forecasts, strict=True):
        assert ours.predictor == theirs.predictor
        assert np.array_equal(ours.values, theirs.values)
