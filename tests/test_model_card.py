"""The model card and the report of a small run: complete, honest about what is open, valid where a schema says how."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.progress import Progress
from experiments.start import run_experiment
from features.sources.synthetic import draw
from models.artifact import load_artifact
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.small_runs import places, small
from training.card_page import CARD_FILES, card_markdown, sections
from training.chai_card import chai_xml
from training.figures_cases import AnsweredCases
from training.fit import Recipe, fit_model
from training.pool import Pool
from training.report import _png, drawn_by_shap, shap_gap
from training.tripod import ITEMS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    comparators = "evaluation.comparators=[base_rate, histology_base_rate, loris_pan_cancer, loris_recalibrated]"
    with places(folder):
        asked = small("checkpoint", "resampling.repeats=1", comparators)
        yield run_experiment(asked, Progress(), stem="card", tracking=False)


@pytest.fixture(scope="module")
def card(run):
    return json.loads((run.folder / "artefact" / "card.json").read_text())


def test_the_card_in_the_artefact_is_the_card_beside_the_report(run, card):
    beside = json.loads((run.folder / "report" / "model-card.json").read_text())
    assert beside == card
    assert {path.name for path in (run.folder / "report").glob("*.*")} == {*CARD_FILES, "report.html"}


def test_the_card_holds_no_clock_path_or_run(run, card):
    text = json.dumps(card)
    assert str(run.folder) not in text
    assert not re.search(r"20\d\d-\d\d-\d\dT", text)


def test_population_data_sheet_and_features_are_counted(card):
    people = card["population"]
    assert people["cases"] == 150
    assert sum(people["histologies"].values()) == 150
    assert [one["role"] for one in card["data_sheet"]] == ["development", "external"]
    assert all(one["licence"] and one["content_hash"].startswith("sha256:") for one in card["data_sheet"])
    tmb = next(one for one in card["features"] if one["feature"] == "tmb_mut_per_mb")
    assert tmb["units"] == ["flag", "log2(1+mut/Mb)"]  # steps at 10 and 20 mut/Mb, and the burden
    assert tmb["missing"].startswith("unknown is its own")
    assert tmb["sign_source"]


def test_performance_has_calibration_and_limits_say_what_is_wrong(card):
    scenes = {one["scene"] for one in card["performance"]}
    assert {"resampled", "external"} <= scenes
    assert {"slope", "citl", "ici", "auroc"} <= set(card["performance"][0]["metrics"])
    said = " ".join(card["limits"])
    assert "SYNTHETIC" in said
    assert "Underpowered" in said


def test_tripod_items_nobody_answered_are_listed(card):
    tripod = card["tripod_ai"]
    assert [one["item"] for one in tripod["items"]] == [item for item, _, _ in ITEMS]
    assert {"17", "18a", "18b", "18d", "19"} <= set(tripod["unanswered"])
    assert all(bool(one["answer"]) != (one["item"] in tripod["unanswered"]) for one in tripod["items"])
    assert not {"5a", "8a", "10", "11", "23a", "26"} & set(tripod["unanswered"])


def test_html_and_markdown_say_the_same(run, card):
    markdown = card_markdown(card, run.model.identity.digest)
    assert markdown.encode() == (run.folder / "report" / "model-card.md").read_bytes()
    page = (run.folder / "report" / "model-card.html").read_text()
    for section in sections(card, run.model.identity.digest):
        assert f"## {section.title}\n" in markdown
        assert f"<h2>{section.title}</h2>" in page.replace("&#39;", "'")
    assert "UNANSWERED" in markdown
    assert "http://" not in page


@pytest.mark.shared
def test_the_chai_card_validates(run, card, shared_dir):
    xmlschema = pytest.importorskip("xmlschema", reason="needs xmlschema, of the dev dependencies")
    text = (shared_dir / "chai" / "chai_applied_model_card_v0.2.xsd").read_text()
    # The signature is optional and its schema is not at hand: nothing is fetched from a test.
    text = re.sub(r"<xs:import [^>]*/>", "", text).replace('<xs:element ref="ds:Signature" minOccurs="0" />', "")
    schema = xmlschema.XMLSchema(text)
    schema.validate((run.folder / "report" / "chai-model-card.xml").read_text())
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(chai_xml(card, "sha256:0").decode().replace("ModelDeveloper", "Developer"))


def test_the_report_shows_every_figure_and_fetches_nothing(run):
    page = (run.folder / "report" / "report.html").read_text()
    names = {path.stem for path in (run.folder / "report" / "figures").glob("*.png")}
    assert names == {path.stem for path in (run.folder / "report" / "figures").glob("*.svg")}
    for beginning in ("calibration", "ranking", "decision", "truth", "forest", "groups", "contributions"):
        assert any(name.startswith(beginning) for name in names), beginning
    assert {"dependence", "missingness", "forest-cohorts"} <= names
    assert page.count("data:image/png;base64,") == len(names)
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "Table 1" in page


@pytest.fixture(scope="module")
def boosted():
    """Few boosters on few invented cases, and those cases."""
    pool = Pool.of([draw("checkpoint", 300, 3)])
    settings = ResponseSettings(
        evidence=False,
        linear=LinearSettings(penalties=(30.0,)),
        boosted=BoostedSettings(on=True, seeds=2, trees=5),
        folds=4,
    )
    card = {"endpoint": "orr", "trained_on": "invented", "synthetic": True}
    return fit_model(Recipe("checkpoint-response", "checkpoint", settings, None, (), (), card), pool), pool


def test_boosted_contributions_are_those_of_the_shap_library(boosted):
    model, pool = boosted
    gap = shap_gap(model, model.table.matrix(pool.batch())[:40])
    assert gap is not None
    assert gap < 1e-9
    assert shap_gap(model, np.empty((0, 3))) is None


def test_the_shap_library_draws_the_boosters_part_alike_each_time(boosted):
    model, pool = boosted
    shown = [AnsweredCases("invented", "development", model.answers(pool.batch()), pool.outcome)]
    data = SimpleNamespace(answered=shown, synthetic=True)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002  # what shap draws from
    pictures = [{one.name: _png(one.figure) for one in drawn_by_shap(data)} for _ in range(2)]
    assert set(pictures[0]) == {"boosted-shap", "boosted-shap-dependence"}
    assert pictures[0] == pictures[1]
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_without_boosters_the_shap_library_draws_nothing(run):
    model = load_artifact(run.folder / "artefact")
    batch = draw("checkpoint", 30, 3).batch()
    shown = [AnsweredCases("invented", "development", model.answers(batch), np.zeros(30))]
    assert list(drawn_by_shap(SimpleNamespace(answered=shown, synthetic=True))) == []
    assert list(drawn_by_shap(SimpleNamespace(answered=[], synthetic=True))) == []
