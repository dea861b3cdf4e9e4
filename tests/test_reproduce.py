"""A tracked run is rebuilt bit by bit; a changed row is named; runs are compared on the same patients."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from experiments.compare import NothingToCompare, compare_runs, comparison_json
from experiments.compare_shown import write_page
from experiments.config import read_experiment
from experiments.progress import Progress
from experiments.reproduce import compare_forecasts, in_words, reproduce_run
from experiments.start import run_experiment
from features.cohort import Cohort
from features.sources.synthetic import draw
from tests.conftest import ROOT
from tests.small_runs import places, small
from training.tracking import RunNotFound, find_run

# Of mlflow 3.17 on its own imports and queries; they go with the first mlflow that does without.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

COHORT = "synthetic-checkpoint-development-1"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """Two tracked runs on one saved cohort: another penalty in the second."""
    folder = tmp_path_factory.mktemp("tracked")
    with places(folder):
        draw("checkpoint", 150, 1).save(folder / "cohorts" / COHORT)
        first, second = (
            run_experiment(
                small("checkpoint", "cohorts.external=[]", "resampling.repeats=2", *extra), Progress(), drawing=False
            )
            for extra in ((), ("model.linear.penalties=[300]",))
        )
        yield first, second, folder


def test_a_run_is_reproduced_from_what_it_logged(tracked):
    first, _, _ = tracked
    found = reproduce_run(first.tracked.run_id, Progress())
    assert found.holds, found
    assert in_words(found)[-1] == f"reproduced: run {first.tracked.run_id}"
    assert first.folder.is_dir()


def test_the_targeted_family_is_reproduced_too(tmp_path):
    with places(tmp_path):
        asked = small("targeted", "cohorts.external=[]", "resampling.repeats=1")
        run = run_experiment(asked, Progress(), drawing=False)
        found = reproduce_run("targeted-response/1", Progress())
    assert found.holds, found
    assert found.run_id == run.tracked.run_id


@pytest.mark.soak
def test_a_family_fitted_on_published_arms_is_reproduced(tmp_path):
    with places(tmp_path):
        run = run_experiment(read_experiment(ROOT / "experiments" / "targeted.yaml"), Progress(), drawing=False)
        found = reproduce_run(run.tracked.run_id, Progress())
    assert found.holds, found


def test_a_changed_row_is_named_with_its_cohort_and_nothing_is_rebuilt(tracked):
    _, _, folder = tracked
    place = folder / "cohorts" / COHORT
    cohort = Cohort.load(place)
    flipped = 1.0 - np.nan_to_num(cohort.response)[7]
    outcomes = cohort.outcomes.to_pylist()
    outcomes[7] |= {"objective_response": flipped, "best_response": None}
    changed = Cohort(
        **{name: table for name, table in cohort.tables.items() if name != "outcomes"},
        outcomes=pa.Table.from_pylist(outcomes, schema=cohort.outcomes.schema),
        provenance=cohort.provenance,
    )
    try:
        changed.save(place)
        found = reproduce_run("checkpoint-response/1", Progress())
    finally:
        cohort.save(place)
    assert not found.holds
    assert len(found.data) == 1
    assert found.data[0].startswith(f"{COHORT} (development): content hash sha256:")
    assert found.data[0].endswith(f"changed: {cohort.case_ids[7]}")


def test_forecasts_that_differ_are_counted(tracked):
    first, _, _ = tracked
    import pyarrow.parquet as pq

    table = pq.read_table(first.folder / "forecasts.parquet")
    values = table.column("value").to_numpy().copy()
    values[3] += 1e-9
    moved = table.set_column(table.column_names.index("value"), "value", pa.array(values))
    assert compare_forecasts(table, table) == ()
    assert compare_forecasts(table, moved) == (f"resampled / {COHORT} / model: 1 of 300 differ, by 1.0e-09 at most",)


def test_the_environment_is_compared_tag_by_tag(tracked, monkeypatch):
    first, _, _ = tracked
    from experiments import reproduce

    now = {**reproduce.environment_tags(), "python": "3.99"}
    monkeypatch.setattr(reproduce, "environment_tags", lambda: now)
    said = reproduce._environment(find_run(first.tracked.run_id))
    assert any(one.startswith("python: 3.1") and one.endswith("3.99 now") for one in said)


def test_repeats_are_nested_runs_and_the_run_says_what_it_is(tracked):
    first, _, _ = tracked
    import mlflow

    mlflow.set_tracking_uri(first.tracked.store)
    parent = mlflow.get_run(first.tracked.run_id)
    assert parent.data.tags["mlflow.note.content"].startswith("# Model card: checkpoint-response")
    nested = mlflow.search_runs(
        [parent.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{first.tracked.run_id}'"
    )
    assert sorted(nested["tags.mlflow.runName"]) == ["resampled 1", "resampled 2"]
    assert nested[f"metrics.{COHORT}.auroc"].between(0, 1).all()


def test_the_champion_answers_a_frame_of_flat_cases(tracked):
    first, _, _ = tracked
    import mlflow
    import pandas as pd

    from training.tracking import set_alias

    set_alias("checkpoint-response", "champion", "1", {})
    mlflow.set_tracking_uri(first.tracked.store)
    model = mlflow.pyfunc.load_model("models:/checkpoint-response@champion")
    cases = pd.DataFrame(
        [
            {"case_id": "c-1", "histology": "LUAD", "therapy.agents": ["pembrolizumab"], "tmb.mut_per_mb": 12.0},
            {"case_id": "c-2", "histology": "SKCM", "therapy.agents": ["nivolumab"], "tmb.mut_per_mb": None},
        ]
    )
    answered = model.predict(cases)
    assert answered["case_id"].tolist() == ["c-1", "c-2"]
    assert len(answered) == 2


def test_runs_are_compared_on_the_same_patients(tracked, tmp_path):
    first, second, _ = tracked
    found = compare_runs([first.tracked.run_id, "checkpoint-response/2"], resamples=50)
    assert {(row.scene, row.cohort) for row in found.rows} == {("resampled", COHORT)}
    brier = next(row for row in found.rows if row.metric == "brier")
    assert brier.n == 150
    assert brier.differences[0].value == pytest.approx(brier.values[1].value - brier.values[0].value)
    assert json.dumps(comparison_json(found), allow_nan=False)
    assert "model.linear.penalties" in dict(found.differing)
    assert all(len(set(values)) == 2 for _, values in found.differing)
    page = write_page(found, tmp_path / "compared.html").read_text()
    assert "SYNTHETIC" in page
    assert "http" not in page
    assert all(name in page for name, _ in found.differing)
    same = compare_runs([first.tracked.run_id, first.tracked.run_id], resamples=50)
    assert all(one.value == one.low == one.high == 0 for row in same.rows for one in row.differences)
    assert same.differing == ()
    assert "same settings, data and code" in write_page(same, tmp_path / "same.html").read_text()
    assert second.model.identity.digest != first.model.identity.digest


def test_what_is_not_there_is_refused(tracked):
    first, _, _ = tracked
    with pytest.raises(NothingToCompare, match="one run"):
        compare_runs([first.tracked.run_id])
    with pytest.raises(RunNotFound, match="no run 'nowhere'"):
        find_run("nowhere")
