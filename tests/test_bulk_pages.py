"""Explanations in bulk, two versions, calibration, integrity: what the pages say is what the log says."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from features import histology
from models.metrics_calibration import calibration_in_the_large
from serving.pages.bulk_asked import BulkAsked
from serving.pages.bulk_oddities import outliers, sign_disagreements
from serving.pages.bulk_sample import spread, stacked
from serving.pages.calibration_view import Predictions
from serving.pages.compare_view import pairs_of
from serving.pages.integrity_checks import Checks
from serving.pages.log_follow import LogReader
from serving.pages.log_query import Asked, matching
from tests.demo_site import demo_site
from tests.pages_site import Site

PAGES = ("/audit/explanations", "/audit/compare", "/audit/calibration", "/audit/integrity")


@pytest.fixture(scope="module")
def site(demo_folder: Path) -> Iterator[Site]:
    with demo_site(demo_folder, demo_folder / "served-models") as found:
        until = time.monotonic() + 120
        while "still being read" in found.client().get("/audit/explanations").text:
            assert time.monotonic() < until, "the log was not read in time"
            time.sleep(0.1)
        yield found


@pytest.fixture(scope="module")
def reader(site: Site, demo_folder: Path) -> LogReader:
    made = LogReader(site.auditor, [demo_folder / "served-models"])
    while made.catch_up(10**6):
        pass
    return made


def numbers(site: Site, address: str) -> list[dict[str, str]]:
    answer = site.client().get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_for_auditors(page: str, site: Site) -> None:
    assert site.client().get(page).status_code == 200
    assert site.client("predict").get(page).status_code == 403
    assert site.client(None).get(page).status_code in (303, 401)


@pytest.mark.parametrize("page", PAGES[:3])
def test_every_drawing_and_download_of_a_page_is_there(page: str, site: Site) -> None:
    client = site.client()
    text = client.get(page).text
    files = set(re.findall(rf'(?:src|srcset|href)="({page}/[a-z]+\.(?:svg|csv)[^"]*)"', text))
    drawings = {one for one in files if ".svg" in one}
    assert len({one.partition(".svg")[0] for one in drawings}) == len(files - drawings) >= 2
    for address in sorted(files - drawings) + sorted(one for one in drawings if "wide-light" in one):
        answer = client.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200, address
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert client.get(f"{page}/nothing.svg").status_code == 404
    assert client.get(f"{page}/groups.exe").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["since=2026", "colour=red", "by=race", "since=2026-11%22%3E%3Cscript%3E", f"feature={'x' * 90}"],
)
def test_what_cannot_be_asked_is_refused_in_words(query: str, site: Site) -> None:
    answer = site.client().get(f"/audit/explanations?{query}")
    assert answer.status_code == 422
    assert "<script>" not in answer.text


def test_disagreements_lead_to_the_very_predictions(site: Site, reader: LogReader) -> None:
    asked = BulkAsked.read({"since": "2026-10", "until": "2026-11"})
    rows = matching(asked.listed(status="predicted"), reader.columns)
    found = sign_disagreements(reader.columns, rows, asked)
    assert any(one["feature"] == "tmb_mut_per_mb" and one["against"] for one in found)
    for one in found:
        listed = reader.listing(Asked.read({"since": "2026-10", "until": "2026-11", "disagrees": one["feature"]}))
        assert listed.total == one["against"] <= one["judged"]
        assert all(one["feature"] in row["disagrees"] for row in listed.rows)


def test_a_version_and_its_rest_make_the_whole(site: Site) -> None:
    def total(query: str) -> dict[str, int]:
        rows = numbers(site, f"/audit/explanations/features.csv?{query}")
        return {row["feature"]: int(row["answers"]) for row in rows}

    versions = ("checkpoint-response/0", "checkpoint-response/1", "targeted-response/1")
    whole, parts = total(""), [total(f"version={one}") for one in versions]
    for feature in ("TMB", "PD-L1 TPS"):
        assert whole[feature] == sum(part.get(feature, 0) for part in parts)


def test_the_drift_is_the_mean_of_the_months_answers(site: Site, reader: LogReader) -> None:
    rows = numbers(site, "/audit/explanations/drift.csv")
    october = matching(Asked.read({"since": "2026-10", "until": "2026-11", "status": "predicted"}), reader.columns)
    mean = reader.columns["groups"][october].astype(float).mean(axis=0)
    shown = {row["group"]: float(row["mean, log-odds"]) for row in rows if row["month"] == "2026-10"}
    assert shown["TMB"] == pytest.approx(mean[3], abs=1e-5)
    assert shown["patient"] == pytest.approx(mean[7], abs=1e-5)


def test_therapy_classes_are_named_in_words(site: Site, reader: LogReader) -> None:
    rows = numbers(site, "/audit/explanations/subgroups.csv?by=therapy_class")
    assert "PD-1 or PD-L1 inhibitor" in str(rows)
    assert "pd1_pdl1" not in str(rows)


def test_small_subgroups_are_withheld(site: Site, reader: LogReader) -> None:
    rows = numbers(site, "/audit/explanations/subgroups.csv?by=tissue")
    small = [row for row in rows if row["answers"] == "<10"]
    assert small
    assert all(row["mean, log-odds"] == "" for row in small)
    assert all(int(row["answers"].replace(",", "")) >= 10 for row in rows if row not in small)


def test_an_erased_patient_is_not_in_the_sample(reader: LogReader) -> None:
    from serving.pages.bulk_sample import Sampler

    rows = matching(Asked(), reader.columns)
    sampler = Sampler(reader)
    before = {one.record_id for one in sampler.sample(rows, 20)}
    assert len(before) == 20
    chosen = rows[spread(reader.columns["seq"][rows], 20)][:1]
    reader.columns["erased"][chosen] = True
    try:
        (gone,) = (row["record_id"] for row in reader.rows(chosen))
        assert gone in before
        assert gone not in {one.record_id for one in sampler.sample(rows, 20)}
    finally:
        reader.columns["erased"][chosen] = False


def test_outliers_are_the_farthest(reader: LogReader) -> None:
    rows = matching(Asked.read({"status": "predicted"}), reader.columns)
    found = outliers(reader, rows)
    phi = reader.columns["groups"][rows].astype(float)
    away = np.abs(phi - phi.mean(axis=0)).sum(axis=1)
    assert [one["distance"] for one in found] == pytest.approx(sorted(away, reverse=True)[: len(found)], abs=1e-4)


def test_points_of_a_swarm_do_not_move_along_their_axis_and_stay_in_their_line() -> None:
    phi = np.random.default_rng(1).normal(size=300)
    assert np.abs(stacked(phi)).max() <= 0.8
    assert stacked(np.array([])).shape == (0,)


def test_pairs_are_answers_to_the_same_request(reader: LogReader) -> None:
    columns = reader.columns
    pairs = pairs_of(columns, ("checkpoint-response/0", "checkpoint-response/1"))
    assert len(pairs.first) > 5
    np.testing.assert_array_equal(columns["request"][pairs.first], columns["request"][pairs.second])
    mirrored = pairs_of(columns, ("checkpoint-response/1", "checkpoint-response/0"))
    np.testing.assert_array_equal(mirrored.second, pairs.first)


def test_calibration_over_all_is_that_of_the_metrics(site: Site, reader: LogReader) -> None:
    of = Predictions(reader.columns, matching(Asked(), reader.columns))
    known = of.known
    y, p = reader.columns["outcome"][known], reader.columns["probability"][known]
    expected = calibration_in_the_large(y, p)
    assert of.calibrated(known).citl.value == pytest.approx(expected, abs=1e-9)
    text = site.client().get("/audit/calibration").text
    assert f"{expected:+.2f}".replace("-", "\N{MINUS SIGN}") in text


def test_months_and_sites_share_out_the_outcomes(site: Site, reader: LogReader) -> None:
    of = Predictions(reader.columns, matching(Asked(), reader.columns))
    for split in (of.by_month(of.known), of.by_text(of.known, "caller")):
        assert sum(len(rows) for _, rows in split) == len(of.known)
    rows = numbers(site, "/audit/calibration/citl.csv")
    withheld = [row for row in rows if row["outcomes"] == "<10"]
    assert all(row["CITL"] == row["mean probability"] == row["responded"] == "" for row in withheld)


def test_abstentions_and_overrides_are_counted_once_each(site: Site, reader: LogReader) -> None:
    columns = reader.columns
    asked_for = columns["kind"] == 0
    for name, expected in (
        ("abstentions", int(np.count_nonzero(asked_for & (columns["status"] == 1)))),
        ("overridden", int(np.count_nonzero(asked_for & (columns["decision"] == 2)))),
    ):
        assert sum(int(row["number"]) for row in numbers(site, f"/audit/calibration/{name}.csv")) == expected


def test_integrity_says_what_was_checked_and_checks_again_when_asked(site: Site) -> None:
    client, token = site.signed_in()
    until = time.monotonic() + 180
    while "Running now" in (text := client.get("/audit/integrity").text):
        assert time.monotonic() < until, "the checks were not made in time"
        time.sleep(0.2)
    assert "Verified until record" in text
    assert "30 of 30" in text
    assert text.count("passed") >= 2
    assert "in shadow" in text
    answer = client.post("/audit/integrity/check", data={"check": "selftest", "csrf_token": token})
    assert answer.status_code == 303
    assert client.post("/audit/integrity/check", data={"check": "all", "csrf_token": token}).status_code == 422
    assert client.post("/audit/integrity/check", data={"check": "verify"}).status_code == 403


def test_a_worker_that_stops_waits_for_the_check_that_is_being_made() -> None:
    checks, going_on = Checks(), threading.Event()
    assert checks.start("slow", lambda: going_on.wait(60))
    assert not checks.start("slow", lambda: None), "it is being made"
    threading.Timer(0.2, going_on.set).start()
    checks.close()
    assert checks.done["slow"].found is True
    assert not checks.running


def test_integrity_names_what_is_not_as_written(demo_folder: Path, tmp_path: Path) -> None:
    import shutil
    import sqlite3

    from serving.pages.integrity_checks import verification
    from tests.demo_site import open_demo_log

    folder = tmp_path / "copy"
    shutil.copytree(demo_folder, folder)
    with sqlite3.connect(folder / "audit" / "audit.db") as connection:
        triggers = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE records SET probability = 0.99 WHERE seq = 20")
    connection.close()
    auditor = open_demo_log(folder)
    try:
        verdict = verification(auditor)
    finally:
        auditor.close()
    assert not verdict.good
    assert any("20" in problem.text for problem in verdict.problems)


def test_tissues_are_named_in_words(site: Site) -> None:
    for address in ("/audit/explanations/subgroups.csv?by=tissue", "/audit/calibration/tissues.csv"):
        text = str(numbers(site, address))
        assert "Lung" in text, address
        assert "LUNG" not in text, address


CODED = re.compile(r">\s*([A-Z][A-Z_]{2,})\s*<|Filter: [^<]*\b([A-Z][A-Z_]{2,})\b")
"""A cell, a choice or the heading of a filter that is written in capitals alone."""


@pytest.mark.parametrize(
    "address",
    [
        "/audit/explanations",
        "/audit/explanations?tissue=LUNG&by=tissue&feature=histology",
        "/audit/compare",
        "/audit/calibration?histology=LUAD",
    ],
)
def test_histologies_are_named_in_words_in_tables_and_filters(address: str, site: Site) -> None:
    text = unescape(site.client().get(address).text)
    seen = {one for pair in CODED.findall(text) for one in pair} & set(histology.codes())
    assert seen == set(), address
    assert "Lung" in text


def test_answers_of_rankings_are_not_called_shadow(reader: LogReader) -> None:
    from serving.pages.integrity_checks import served_when
    from serving.pages.log_counts import answered

    roles = {(one["version"], one["role"]): one["n"] for one in served_when(reader)}
    for one in answered(reader):
        assert one.answers == roles.get((one.version, "served"), 0)
        assert one.shadow == roles.get((one.version, "in shadow"), 0)
        assert one.ranked == roles.get((one.version, "in rankings"), 0)
    assert sum(one.shadow for one in answered(reader)) > 0
