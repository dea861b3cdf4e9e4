"""An interrupt leaves no half-registered model, and the next run goes on where the resampling stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from experiments.progress import Progress
from experiments.start import run_experiment
from features.sources.synthetic import draw
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.conftest import ROOT
from tests.small_runs import QUICK, places, small
from training import resampling
from training.fit import Recipe
from training.fold_cache import FoldCache, cache_key
from training.pool import Pool
from training.resampling import resample
from training.split import repeated_folds
from training.tracking import RunNotFound, find_version

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"  # of mlflow 3.17
)


def recipe():
    settings = ResponseSettings(
        evidence=False, linear=LinearSettings(penalties=(30.0,)), boosted=BoostedSettings(on=False), folds=2
    )
    card = {"endpoint": "orr", "trained_on": "invented", "synthetic": True}
    return Recipe("checkpoint-response", "checkpoint", settings, None, (), ("histology_base_rate",), card)


@pytest.fixture(scope="module")
def pool():
    return Pool.of([draw("checkpoint", 80, 3)])


def test_a_resampling_goes_on_where_it_stopped(pool, tmp_path, monkeypatch):
    whole = resample(recipe(), pool, folds=3, repeats=1, seed=1)[0]
    cache, fitted = FoldCache(tmp_path / "folds"), []
    honest = resampling.judge_fold

    def stopped_at_the_third(prepared, fold):
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(fold.split.name)
        return honest(prepared, fold)

    monkeypatch.setattr(resampling, "judge_fold", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        resample(recipe(), pool, folds=3, repeats=1, seed=1, cache=cache)
    assert len(list(cache.folder.glob("*.npz"))) == 2

    again = []
    monkeypatch.setattr(resampling, "judge_fold", lambda p, fold: again.append(fold.split.name) or honest(p, fold))
    resumed = resample(recipe(), pool, folds=3, repeats=1, seed=1, cache=cache)[0]
    assert len(again) == 1
    for ours, theirs in zip(whole.forecasts, resumed.forecasts, strict=True):
        assert np.array_equal(ours.values, theirs.values)
    cache.clear()
    assert not cache.folder.exists()


def test_a_torn_file_or_other_rows_are_fitted_again(pool, tmp_path):
    cache = FoldCache(tmp_path)
    split = next(iter(repeated_folds(pool.patients, pool.outcome, pool.source, folds=3, repeats=1, seed=1)))
    cache.keep(split, {"model": np.zeros(len(split.test))}, np.ones(len(split.test), dtype=bool))
    values, answered = cache.kept(split)
    assert list(values) == ["model"]
    assert answered.all()
    assert cache.kept(replace(split, test=split.test[1:])) is None
    place = next(tmp_path.glob("*.npz"))
    place.write_bytes(place.read_bytes()[:40])
    assert cache.kept(split) is None
    assert not list(tmp_path.glob("*.half"))


def test_the_key_follows_settings_and_cases():
    assert cache_key({"seed": 1}, ["a"]) == cache_key({"seed": 1}, ["a"])
    assert len({cache_key({"seed": s}, [h]) for s in (1, 2) for h in "ab"}) == 4


def test_an_interrupt_before_registration_registers_nothing(tmp_path, monkeypatch):
    from training import tracking

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking, "_log_model", interrupted)
    asked = small("checkpoint", "cohorts.external=[]", "resampling.repeats=1", "cohorts.synthetic_cases=90")
    with places(tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run_experiment(asked, Progress(), drawing=False)
        with pytest.raises(RunNotFound):
            find_version("checkpoint-response")
        import mlflow

        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
        runs = mlflow.search_runs(search_all_experiments=True)
        assert set(runs["status"]) <= {"FAILED", "KILLED"}


@pytest.mark.slow
def test_control_c_on_the_terminal_stops_with_130_and_keeps_finished_folds(tmp_path):
    words = [sys.executable, str(ROOT / "oncorespond.py"), "train", str(ROOT / "experiments/checkpoint_synthetic.yaml")]
    for setting in (*QUICK, "resampling.repeats=40", "cohorts.external=[]"):
        words += ["--set", setting]
    environment = {
        **os.environ,
        "ORP_RUNS": str(tmp_path / "runs"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/m.db",
    }
    # A shell that started the tests in the background has switched Control-C off, for every child too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(
        [*words, "--workers", "1"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 300
    while not list((tmp_path / "runs").glob("*.folds/*.npz")) and run.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=180)[0].decode()
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert list((tmp_path / "runs").glob("*.folds/*.npz"))
    assert not list((tmp_path / "runs").glob("*/artefact"))
    assert not (tmp_path / "m.db").exists()
