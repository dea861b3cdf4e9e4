"""The page of one prediction and its sheet: the numbers are those of the record, whoever looks."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from pathlib import Path

import pytest

from features.case import read_case
from models.intended_use import INTENDED_USE
from serving.audit.entries import Outcome, PredictionEntry
from serving.audit.recorded import Asked, recorded_answers
from tests.cases import good_case
from tests.pages_site import ABSTAINED, CROWDED, RICH, Site, case_of, opened_site, page


def test_one_prediction_shows_the_numbers_of_its_record(site: Site) -> None:
    answer = site.auditor.lookup(site.ids[RICH]).answer
    text = unescape(page(site, case_of(site, RICH)))
    assert f"{100 * answer['probability']:.0f}%" in text
    for one in answer["evidence"]:
        assert f"{one['responders']} of {one['n']}" in text
    for name in ("LORIS", "TMB of 10 mut/Mb or more"):
        assert name in text
    assert answer["model"]["digest"] in text


def test_an_abstention_shows_its_reasons_and_no_number(site: Site) -> None:
    text = page(site, case_of(site, ABSTAINED))
    assert "No probability is given" in text
    assert "therapy_class_unknown" in text
    assert 'class="big"' not in text


def test_contributions_as_csv_sum_to_the_answer(site: Site) -> None:
    answer = site.auditor.lookup(site.ids[RICH]).answer
    rows = list(csv.DictReader(io.StringIO(site.client().get(case_of(site, RICH) + "/contributions.csv").text)))
    total = sum(float(row["contribution_log_odds"]) for row in rows)
    assert answer["base_log_odds"] + total == pytest.approx(answer["log_odds"], abs=1e-9)


def rows_of(site: Site, place: int, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(site.client().get(f"{case_of(site, place)}/{name}.csv").text)))


def test_the_scale_can_be_taken_along(site: Site) -> None:
    answer = site.auditor.lookup(site.ids[RICH]).answer
    first, second, *rivals = rows_of(site, RICH, "estimate")
    assert [float(first[name]) for name in ("value", "low", "high")] == [
        answer["probability"],
        answer["interval"]["low"],
        answer["interval"]["high"],
    ]
    assert second["what"] == "average training case"
    assert {one["what"]: one["kind"] for one in rivals} == {
        name: "score" if isinstance(value, dict) else "rule" for name, value in answer["comparators"].items()
    }


def test_similar_cases_are_other_patients_of_the_same_class_the_nearest_first(site: Site) -> None:
    found = rows_of(site, RICH, "similar")
    assert {one["record_id"] for one in found} == {site.ids[3], site.ids[5]}
    distances = [float(one["distance"]) for one in found]
    assert distances == sorted(distances)
    groups = {place: site.auditor.lookup(site.ids[place]).answer["groups"] for place in (RICH, 3, 5)}
    for one in found:
        other = groups[site.ids.index(one["record_id"])]
        expected = sum(abs(groups[RICH][name] - other[name]) for name in other)
        assert float(one["distance"]) == pytest.approx(expected, abs=1e-5)
    assert "too few to tell a rate" in page(site, case_of(site, RICH))


def test_a_rate_of_similar_cases_is_told_from_ten_known_outcomes_on(tmp_path: Path, served_models: Path) -> None:
    with opened_site(tmp_path, served_models) as one:
        cases = [read_case(good_case(case_id=f"d-{k}", patient_id=f"q-{k}", prior_lines=k % 3)) for k in range(10)]
        for number, answer in enumerate(recorded_answers(one.auditor, one.predictor, cases, Asked("tests", 0.0))):
            if number < 9:  # with the one known outcome of the site's own cases there are ten then
                assert "too few to tell a rate" in page(one, case_of(one, RICH))
            response = "PR" if number < 4 else "SD"
            one.auditor.record_event(answer["prediction_id"], Outcome(best_response=response), "tests")
        assert "Of the 11 nearest with a known outcome, 4 responded (36%)" in page(one, case_of(one, RICH))


def test_a_challengers_answer_is_shown_beside_and_says_that_it_was_not_given(
    tmp_path: Path, served_models: Path
) -> None:
    with opened_site(tmp_path, served_models) as one:
        logged = one.auditor.lookup(one.ids[RICH])
        case = read_case(good_case(case_id="c-0", patient_id="p-0"))
        [answer] = one.predictor.answers([case])
        one.auditor.record_prediction(
            PredictionEntry(case, answer, "checkpoint", "tests", 1.0, shadow_of=logged.row["record_id"])
        )
        shadow = f"/audit/predictions/{answer['prediction_id']}"
        assert f'href="{shadow}"' in page(one, case_of(one, RICH))
        assert "this one was not" in page(one, shadow)
        assert shadow not in page(one, "/audit/predictions")


def test_replay_gives_the_same_numbers_or_says_why_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, token = site.signed_in()
    address = case_of(site, RICH) + "/replay"
    again = client.post(address, data={"csrf_token": token})
    assert again.status_code == 200
    assert "Every number is the same" in again.text
    assert client.post(address, data={}).status_code == 403
    monkeypatch.setenv("ORP_MODELS", str(tmp_path))
    gone = client.post(address, data={"csrf_token": token})
    assert "no artefact" in gone.text


def test_the_sheet_is_the_same_bytes_for_everybody(site: Site) -> None:
    address = case_of(site, RICH) + "/sheet"
    first, second = site.client().get(address), site.signed_in()[0].get(address)
    assert first.content == second.content
    text = unescape(first.text)
    assert text.count(INTENDED_USE) == 2
    assert "csrf" not in text
    assert "key:" not in text
    assert re.search(r"\d of \d+ therapies", text)


def test_what_does_not_fit_on_the_sheet_is_counted(site: Site) -> None:
    text = unescape(page(site, case_of(site, CROWDED) + "/sheet"))
    assert "+29 more" in text  # findings: 41, of which 12 are named


def test_an_erased_case_shows_nothing_of_its_values(tmp_path: Path, served_models: Path) -> None:
    with opened_site(tmp_path, served_models) as one:
        one.auditor.erase("tests", patient_id="p-0")
        text = page(one, case_of(one, RICH), 410)
        assert "erased" in text
        assert "Lung" not in text
        assert one.client().get(case_of(one, RICH) + "/sheet").status_code in (404, 410, 422)
        assert one.client().get(case_of(one, RICH) + "/contributions.csv").status_code in (404, 410, 422)
