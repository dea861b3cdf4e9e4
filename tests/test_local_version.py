"""A model updated on local outcomes is another version whose card says before and after; nothing else of it changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import oncorespond
from experiments.cohort_loading import CohortDisagrees
from experiments.local_version import update_promoted
from experiments.promotion import SyntheticChampion
from features.provenance import Provenance
from features.sources.synthetic import draw
from models.artifact import load_artifact, save_artifact
from models.calibration import CannotCalibrate
from models.local_version import UPDATES, updated_on
from models.pointer import CHALLENGERS, PromotionRefused, load_promoted, promote
from tests.quick_recipe import recipe
from training.fit import fit_model
from training.pool import Pool

SITE = draw("checkpoint", 300, 8, cohort="external")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of promoted models with one of them, synthetic as its cases are."""
    folder = tmp_path_factory.mktemp("home")
    model = fit_model(recipe(), Pool.of([draw("checkpoint", 250, 3)]))
    save_artifact(model, folder / "artefact")
    promote(folder / "artefact", folder / "models", "checkpoint-response", "3")
    SITE.save(folder / "cohorts" / "our-site")
    return folder


def served(home):
    return load_promoted(home / "models", "checkpoint-response")


def test_the_update_is_another_version_with_its_before_and_after(home):
    before = served(home)
    after, done = updated_on(before, SITE.batch(), SITE.response, "our-site")
    assert (after.identity.name, after.identity.version, after.identity.digest) == ("checkpoint-response", "", "")
    assert after.calibration == done.after != before.calibration
    (account,) = after.card[UPDATES]
    assert account["outcomes_of"] == "our-site"
    assert account["of"] == before.identity.digest
    assert account["outcomes"] + account["abstained"] == len(SITE)
    assert account["before"]["b"] == before.calibration.b
    assert account["after"]["b"] == after.calibration.b
    assert account["after"]["log_loss"] < account["before"]["log_loss"]
    assert abs(account["after"]["citl"]) < abs(account["before"]["citl"])
    assert UPDATES not in before.card


def test_ranks_stay_and_contributions_add_up(home):
    before = served(home)
    after, _ = updated_on(before, SITE.batch(), SITE.response, "our-site")
    then, now = (model.answers(SITE.batch()).scores for model in (before, after))
    np.testing.assert_array_equal(np.argsort(then.z), np.argsort(now.z))
    np.testing.assert_allclose(now.base + now.phi.sum(axis=1), now.log_odds, atol=1e-9)
    assert np.all((now.low < now.probability) & (now.probability < now.high))


def test_a_second_update_is_told_beside_the_first(home):
    once, _ = updated_on(served(home), SITE.batch(), SITE.response, "our-site")
    twice, _ = updated_on(once, SITE.batch(), SITE.response, "next year")
    assert [one["outcomes_of"] for one in twice.card[UPDATES]] == ["our-site", "next year"]


@pytest.mark.parametrize("outcomes", [np.full(300, np.nan), np.full(300, 0.5), np.zeros(299)])
def test_outcomes_that_are_none_are_refused(home, outcomes):
    with pytest.raises(CannotCalibrate, match="not all 0 or 1"):
        updated_on(served(home), SITE.batch(), outcomes, "our-site")


def test_the_command_promotes_a_version_into_the_shadow(home, monkeypatch):
    monkeypatch.setenv("ORP_COHORTS", str(home / "cohorts"))
    monkeypatch.setenv("ORP_MODELS", str(home / "models"))
    words = ["update", "checkpoint-response", "--on", "our-site", "--as", "3-our-site"]
    monkeypatch.setattr("sys.argv", ["oncorespond", *words])
    told = CliRunner().invoke(oncorespond.app, [*words, "--json"], catch_exceptions=False)
    said = json.loads(told.stdout)
    shadow = load_promoted(home / "models" / CHALLENGERS, "checkpoint-response")
    assert said["before_version"] == "3"
    assert (shadow.identity.version, shadow.identity.digest) == ("3-our-site", said["pointer"]["digest"])
    assert shadow.card[UPDATES][0]["after"] == said["update"]["after"]
    assert served(home).identity.version == "3"  # what is served is as it was
    assert "calibration in the large" in CliRunner().invoke(oncorespond.app, words).stdout
    stored = home / "models" / CHALLENGERS / said["pointer"]["folder"]
    assert load_artifact(stored).calibration == shadow.calibration


def test_what_must_not_be_is_refused(home, monkeypatch):
    models = home / "models"
    with pytest.raises(SyntheticChampion):
        update_promoted("checkpoint-response", str(home / "cohorts" / "our-site"), "4", alias="champion", models=models)
    other = draw("checkpoint", 120, 9)
    for changed, words in (({"endpoint": "dcb"}, "never pooled"), ({"synthetic": False}, "never mixed")):
        given = {
            **{name: getattr(other.provenance, name) for name in ("cohort_id", "endpoint", "synthetic")},
            **changed,
        }
        place = home / "cohorts" / words.replace(" ", "-")
        type(other)(**other.tables, provenance=Provenance(**given)).save(place)
        with pytest.raises(CohortDisagrees, match=words):
            update_promoted("checkpoint-response", str(place), "5", models=models)
    place = home / "cohorts" / "another"
    other.save(place)
    update_promoted("checkpoint-response", str(place), "6", models=models)
    with pytest.raises(PromotionRefused, match="another artefact"):
        update_promoted("checkpoint-response", str(home / "cohorts" / "our-site"), "6", models=models)
