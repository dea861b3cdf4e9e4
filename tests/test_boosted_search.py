"""The search of the boosters' size: never worse than the preset out of fold, repeatable, kept in a database."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.artifact import _contents
from models.boosted_search import STUDIES, _Loss, searched
from models.cross_fitting import Training
from models.folds import patient_folds
from models.inputs import Inputs
from models.response_fit import fit_response
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.invented_models import InventedEvidence, InventedTable, draw

CASES = draw(240, seed=9)
TABLE = InventedTable.of(CASES.batch)
SETTINGS = BoostedSettings(seeds=1, trials=4)
TRAINING = Training(
    Inputs(TABLE.matrix(CASES.batch)),
    TABLE.columns,
    CASES.y,
    np.ones(240),
    patient_folds(CASES.groups, CASES.y, 3, 1),
)


def start(without: int) -> np.ndarray:
    return np.full(240, -1.0)


def fit() -> dict[str, bytes]:
    settings = ResponseSettings(linear=LinearSettings(penalties=(10.0,)), boosted=SETTINGS, folds=3)
    card = {"name": "invented-response", "endpoint": "orr", "synthetic": True}
    model = fit_response(
        CASES.batch, CASES.y, CASES.groups, table=TABLE, evidence=InventedEvidence(), settings=settings, card=card
    ).model
    return _contents(model)


def test_the_search_is_never_worse_than_the_preset(monkeypatch):
    monkeypatch.delenv(STUDIES, raising=False)
    found = searched(TRAINING, start, SETTINGS, seed=5)
    loss = _Loss(TRAINING, start, SETTINGS, 5)
    names = ("leaves", "trees", "smallest_leaf", "ridge", "share_of_columns")
    chosen = loss({name: getattr(found, name) for name in names})
    assert chosen <= loss({"leaves": 7, "trees": 10, "smallest_leaf": 40, "ridge": 10.0, "share_of_columns": 0.6})
    assert replace(found, **{name: getattr(SETTINGS, name) for name in names}) == SETTINGS
    assert searched(TRAINING, start, SETTINGS, seed=5) == found


def test_a_finished_study_is_read_from_the_database(monkeypatch, tmp_path):
    import optuna

    address = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv(STUDIES, address)
    found = searched(TRAINING, start, SETTINGS, seed=5)
    (study,) = optuna.get_all_study_summaries(address)
    assert study.n_trials == SETTINGS.trials

    def never(*_: object) -> None:
        raise AssertionError("a finished study is not searched again")

    monkeypatch.setattr("models.boosted_search.fit_boosters", never)
    assert searched(TRAINING, start, SETTINGS, seed=5) == found


def test_other_cases_are_another_study(monkeypatch, tmp_path):
    import optuna

    address = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv(STUDIES, address)
    once = replace(SETTINGS, trials=1)
    searched(TRAINING, start, once, seed=5)
    searched(replace(TRAINING, y=1 - TRAINING.y), start, once, seed=5)
    assert len(optuna.get_all_study_summaries(address)) == 2


def test_another_start_or_number_of_trials_is_another_study(monkeypatch, tmp_path):
    """The linear settings reach the search through its starts alone; five trials are not the best of twenty."""
    import optuna

    address = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv(STUDIES, address)
    searched(TRAINING, start, replace(SETTINGS, trials=2), seed=5)
    searched(TRAINING, lambda *_: np.full(240, 1.0), replace(SETTINGS, trials=2), seed=5)
    searched(TRAINING, start, replace(SETTINGS, trials=1), seed=5)
    assert sorted(one.n_trials for one in optuna.get_all_study_summaries(address)) == [1, 2, 2]


def test_a_study_that_was_interrupted_goes_on_with_other_sizes(monkeypatch, tmp_path):
    import optuna

    address = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv(STUDIES, address)
    two, whole = replace(SETTINGS, trials=2), SETTINGS
    name = _Loss(TRAINING, start, whole, 5).name(whole)
    monkeypatch.setattr(_Loss, "name", lambda *_: name)
    searched(TRAINING, start, two, seed=5)  # as if it had been stopped after two
    searched(TRAINING, start, whole, seed=5)
    tried = [repr(one.params) for one in optuna.load_study(study_name=name, storage=address).trials]
    assert len(tried) == whole.trials
    assert len(set(tried)) == whole.trials


def test_a_fit_with_trials_gives_the_same_bytes_again_and_names_no_database(monkeypatch):
    monkeypatch.delenv(STUDIES, raising=False)
    one, two = fit(), fit()
    assert one == two
    assert b'"trials": 4' in one["card.json"]
