"""Training by partition gives the model that training in memory gives; a worker may be lost on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from models.evidence import EvidenceTerm
from models.linear_fit import fit_linear
from models.metrics import auroc
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.flat_tables import of_cohort
from training import distributed
from training.distributed import Recipe, train
from training.distributed_parts import NoOutcome, Partition, features_of, files_at, held_out, labelled, partitions_of

SIGNED = LinearSettings(penalties=(30.0,), tuned_groups=(), signs=("tmb", "patient", "prior_lines"))
SETTINGS = ResponseSettings(linear=SIGNED, boosted=BoostedSettings(seeds=1, trees=30), folds=3)
N, PARTITIONS = 6_000, 4


def recipe(settings: ResponseSettings = SETTINGS) -> Recipe:
    evidence = EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"])
    card = {"name": "large", "endpoint": "orr", "trained_on": "synthetic", "synthetic": True}
    return Recipe("checkpoint", settings, evidence, card)


@pytest.fixture(scope="module")
def partitions(tmp_path_factory: pytest.TempPathFactory) -> list[Partition]:
    """A file of four row groups, a few outcomes unknown."""
    cohort = draw("checkpoint", N, 21)
    outcome = cohort.response.copy()
    outcome[::97] = np.nan
    table = of_cohort(cohort).append_column("objective_response", pa.array(outcome, from_pandas=True))
    path = tmp_path_factory.mktemp("large") / "cases.parquet"
    pq.write_table(table, path, row_group_size=N // PARTITIONS)
    return partitions_of([str(path)])


def in_memory(partitions: list[Partition], table: Any, evidence: Any) -> tuple[Any, ...]:
    """Matrix, evidence, outcome and held-out mark of all cases."""
    found = [features_of(one, table, evidence) for one in partitions]
    matrix = np.concatenate([one.matrix.toarray() for one in found]).astype(np.float64)
    return (matrix, *(np.concatenate([getattr(one, name) for one in found]) for name in ("evidence", "y", "held")))


def test_partitions_are_the_row_groups_and_leave_unknown_outcomes_out(partitions: list[Partition]) -> None:
    assert len(partitions) == PARTITIONS
    counts = [sum(batch.n for batch, _ in labelled(one)) for one in partitions]
    assert sum(counts) == N - len(range(0, N, 97))
    marks = [held_out(batch).mean() for one in partitions for batch, _ in labelled(one)]
    assert 0.03 < np.mean(marks) < 0.07


def test_a_file_without_outcomes_is_refused(tmp_path: Path) -> None:
    pq.write_table(of_cohort(draw("checkpoint", 5, 1)), tmp_path / "x.parquet")
    with pytest.raises(NoOutcome):
        next(labelled(partitions_of([str(tmp_path / "x.parquet")])[0]))


@pytest.mark.slow
def test_the_model_is_that_of_training_in_memory(
    partitions: list[Partition], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import lightgbm

    from models.boosted_fit import parameters

    killed: list[int] = []
    real = distributed.solved

    def solved(client: Any, *arguments: Any) -> Any:
        """A worker is lost when features have been built: Dask builds them again elsewhere."""
        client.gather(arguments[0][0])
        killed.append(next(iter(client.run(os.getpid).values())))
        os.kill(killed[0], signal.SIGKILL)
        return real(client, *arguments)

    monkeypatch.setattr(distributed, "solved", solved)
    found = train(partitions, recipe(), workers=2)
    assert killed
    table, evidence = found.model.table, found.model.evidence
    matrix, log_odds, y, held = in_memory(partitions, table, evidence)
    assert (found.cases, found.held_out) == (int((~held).sum()), int(held.sum()))
    inside = ~held
    ours, weight = found.model.terms, np.ones(int(inside.sum()))
    linear = fit_linear(matrix[inside], table.columns, y[inside], weight, log_odds[inside], 30.0, SETTINGS.linear)
    start = linear.value(matrix[inside], log_odds[inside])
    wanted = parameters(SETTINGS.boosted, table.columns, len(weight), SETTINGS.seed)
    data = lightgbm.Dataset(matrix[inside], label=y[inside], init_score=start, params=wanted)
    booster = lightgbm.train(wanted, data, num_boost_round=30)
    theirs = linear.value(matrix[held], log_odds[held]) + booster.predict(matrix[held], raw_score=True)
    assert abs(found.auroc - auroc(y[held], theirs, np.ones(len(theirs)))) < 0.02  # of some 300 held-out cases
    assert ours.linear is not None
    assert ours.evidence_weight is not None
    signs = np.array([column.expected_sign if column.group in SIGNED.signs else 0 for column in table.columns])
    assert np.all(signs * ours.linear.coefficients >= 0)
    value = ours.evidence_weight * log_odds + ours.linear.contributions(matrix).sum(axis=1)
    assert np.corrcoef(value[inside], start)[0, 1] > 0.995
    contributions, _ = ours.boosted.contributions(matrix[inside])  # type: ignore[union-attr]
    np.testing.assert_allclose(contributions.mean(axis=0), 0.0, atol=1e-9)
    answers = found.model.answers(next(labelled(partitions[0]))[0])
    assert answers.answered.any()  # sums are checked when they are made


def test_the_command_writes_an_artefact_that_can_be_loaded(
    partitions: list[Partition], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from models.artifact import load_artifact
    from tests.served import fit_small
    from training.commands_large import train_large

    asked: list[Any] = []

    def instead(given: Any, recipe: Recipe, *cluster: Any) -> Any:
        asked.extend([given, recipe.card, cluster])
        return distributed.DistributedFit(fit_small("checkpoint", 200), 190, 10, 0.71)

    monkeypatch.setattr(distributed, "train", instead)
    train_large(partitions[0].url, tmp_path / "large", "invented cases", synthetic=True, memory="1GB")
    assert [one.group for one in asked[0]] == [one.group for one in partitions]
    assert asked[1]["synthetic"]
    assert asked[2] == ("local", 2, "1GB")
    assert load_artifact(tmp_path / "large").family == "checkpoint"
    assert "0.7100 on 10 that were held out" in capsys.readouterr().out


def test_a_place_without_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoOutcome):
        files_at(str(tmp_path))
