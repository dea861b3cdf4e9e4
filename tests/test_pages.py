"""The pages for auditors: who gets in, what is escaped, what a form may do, that numbers are those of the log."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest

from models.intended_use import INTENDED_USE
from serving.audit.entries import Review, ReviewReason
from serving.audit.verifying import verify
from serving.pages.case_page import REASONS, VERDICTS
from serving.pages.foreign_text import MOST_SHOWN
from serving.pages.list_export import COLUMNS
from tests.pages_site import ABSTAINED, HOSTILE, HOSTILE_CASE, RICH, Site, case_of, page


def test_every_page_of_the_issue_is_there(site: Site) -> None:
    wanted = {"/audit", "/audit/predictions", "/audit/models", case_of(site, RICH), case_of(site, RICH) + "/sheet"}
    assert wanted <= set(site.pages)


def test_every_page_says_what_it_is_not_and_runs_nothing_inline(site: Site) -> None:
    for path in site.pages:
        answer = site.client().get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'"), path
        assert "unsafe" not in policy, path
        assert INTENDED_USE in unescape(answer.text), path
        assert "SYNTHETIC" in answer.text, path
        assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", answer.text), path
        assert "<style" not in answer.text, path
        assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text), path
        assert not re.search(r"(src|href|srcset)=\"(https?:)?//", answer.text), path
        assert answer.headers["cache-control"] == "no-store", path


def test_nobody_without_the_audit_role_sees_a_page(site: Site) -> None:
    addresses = [*site.pages, "/audit/predictions.csv", "/audit/predictions.parquet"]
    for role, expected in (("predict", 403), ("outcome", 403), ("admin", 403), (None, 401)):
        client = site.client(role)
        for path in addresses:
            answer = client.get(path)
            assert answer.status_code in (expected, 303), (role, path)
            if answer.status_code == 303:  # a browser without a session is sent to the login
                assert (role, answer.headers["location"].partition("?")[0]) == (None, "/audit/login")
            assert site.ids[RICH] not in answer.text
    signed_in, _ = site.signed_in("predict")
    assert signed_in.get("/audit").status_code == 403


def test_the_pages_check_the_role_themselves_when_the_door_forgot(site: Site) -> None:
    from starlette.testclient import TestClient

    behind = site.app._app
    assert TestClient(behind, base_url="https://testserver").get("/audit/predictions").status_code == 401


def test_html_in_a_case_is_escaped_and_endless_text_is_cut(site: Site) -> None:
    for path in (case_of(site, HOSTILE_CASE), case_of(site, HOSTILE_CASE) + "/sheet", "/audit/predictions"):
        text = page(site, path)
        assert HOSTILE not in text
        assert "very " * 30 not in text
    shown = page(site, case_of(site, HOSTILE_CASE))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    panel = re.search(r"assay\.panel</dt><dd>([^<]*)", shown)
    assert panel is not None
    assert len(panel[1]) <= MOST_SHOWN
    assert panel[1].endswith("…")


def test_html_in_an_address_is_escaped(site: Site) -> None:
    for path in (f"/audit/predictions?histology={HOSTILE}", f"/audit/predictions?{HOSTILE}=1"):
        answer = site.client().get(path)
        assert answer.status_code in (200, 422)
        assert HOSTILE not in answer.text


def test_the_list_finds_what_its_address_asks_for(site: Site) -> None:
    found = {
        "": set(range(6)),
        "?histology=SKCM": {1},
        "?therapy_class=pd1_pdl1": {0, 3, 5},
        "?alteration=BRAF": {2},
        "?alteration=KRAS p.G12C": {0},
        "?status=abstained": {ABSTAINED},
        "?outcome=response": {1},
        "?outcome=no_response": {3},
        "?decision=overridden": {3},
        "?since=2100-01": set(),
        "?low=0.000001&histology=LUNG": {0},
    }
    for query, expected in found.items():
        text = page(site, f"/audit/predictions{query}")
        shown = {place for place, one in enumerate(site.ids) if f'href="/audit/predictions/{one}"' in text}
        assert shown == expected, query


def test_the_list_sorts_by_the_estimate(site: Site) -> None:
    text = page(site, "/audit/predictions?sort=probability&order=asc&status=predicted")
    shown = re.findall(r"<strong>([<>]?\d+)%</strong>", unescape(text))
    assert len(shown) == 5
    assert [int(one.lstrip("<>")) for one in shown] == sorted(int(one.lstrip("<>")) for one in shown)


def test_exports_hold_what_the_filter_finds_and_no_free_text(site: Site) -> None:
    client = site.client()
    written = client.get("/audit/predictions.csv?status=predicted")
    rows = list(csv.DictReader(io.StringIO(written.text)))
    assert [row["record_id"] for row in rows] == [site.ids[place] for place in (5, 3, 2, 1, 0)]
    assert tuple(rows[0]) == COLUMNS
    table = pq.read_table(io.BytesIO(client.get("/audit/predictions.parquet?status=predicted").content))
    assert table.column("record_id").to_pylist() == [row["record_id"] for row in rows]
    assert table.column("probability").to_pylist() == [float(row["probability"]) for row in rows]
    assert table.column("outcome").to_pylist() == [None, False, None, True, None]
    assert "very long" not in written.text
    assert "script" not in written.text


def test_a_review_is_a_further_record_and_the_chain_still_verifies(site: Site) -> None:
    client, token = site.signed_in()
    form = {"finding": "reject", "reason": "implausible_explanation", "note": HOSTILE, "csrf_token": token}
    answer = client.post(case_of(site, 1) + "/review", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(case_of(site, 1))
    later = site.auditor.lookup(site.ids[1]).later[-1]
    assert (later.row["kind"], later.row["status"], later.row["caller"]) == ("review", "reject", "key:a-audit")
    assert later.payload is not None
    assert later.payload["event"]["note"] == HOSTILE
    text = page(site, case_of(site, 1))
    assert HOSTILE not in text
    assert "implausible explanation" in text
    assert 'href="/audit/predictions/' + site.ids[1] in page(site, "/audit/predictions?review=reject")
    assert verify(site.auditor.database, site.auditor.keys.verifying).good


def test_a_form_that_is_sent_twice_is_one_review(site: Site) -> None:
    client, token = site.signed_in()
    form = re.search(r'name="form" value="([0-9a-f-]{36})"', client.get(case_of(site, 2)).text)
    assert form is not None
    sent = {"finding": "agree", "csrf_token": token, "form": form[1]}
    before = len(site.auditor.lookup(site.ids[2]).later)
    assert [client.post(case_of(site, 2) + "/review", data=sent).status_code for _ in range(2)] == [303, 303]
    assert len(site.auditor.lookup(site.ids[2]).later) == before + 1
    assert client.post(case_of(site, 2) + "/review", data={**sent, "finding": "query"}).status_code == 422


FORGED: tuple[tuple[str, dict[str, str], dict[str, str], int], ...] = (
    ("without a token", {}, {}, 403),
    ("with a made-up token", {"csrf_token": "0" * 64}, {}, 403),
    ("from another site", {"csrf_token": "mine"}, {"sec-fetch-site": "cross-site"}, 403),
    ("with the token of another session", {"csrf_token": "another"}, {}, 403),
    ("with a finding that is none", {"csrf_token": "mine", "finding": "approve"}, {}, 422),
    ("rejecting without a reason", {"csrf_token": "mine", "finding": "reject", "reason": ""}, {}, 422),
    ("with a reason that is none", {"csrf_token": "mine", "finding": "reject", "reason": "mood"}, {}, 422),
    ("with a note beyond its length", {"csrf_token": "mine", "note": "n" * 2001}, {}, 422),
    ("as JSON", {}, {"content-type": "application/json"}, 403),
)


@pytest.mark.parametrize(("fields", "headers", "status"), [case[1:] for case in FORGED], ids=[c[0] for c in FORGED])
def test_a_forged_review_is_refused_and_leaves_no_record(
    site: Site, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    client, token = site.signed_in()
    _, another = site.signed_in()
    form = {"finding": "agree", **fields}
    form["csrf_token"] = {"mine": token, "another": another}.get(fields.get("csrf_token", ""), fields.get("csrf_token"))
    before = len(site.auditor.lookup(site.ids[RICH]).later)
    answer = client.post(
        case_of(site, RICH) + "/review", data={k: v for k, v in form.items() if v is not None}, headers=headers
    )
    assert answer.status_code == status, answer.text[:300]
    assert len(site.auditor.lookup(site.ids[RICH]).later) == before


def test_a_review_of_no_prediction_or_of_a_review_is_refused(site: Site) -> None:
    client, token = site.signed_in()
    outcome = site.auditor.lookup(site.ids[3]).later[0].row["record_id"]
    for record in ("nothing-of-this-id", outcome, "%00"):
        answer = client.post(f"/audit/predictions/{record}/review", data={"finding": "agree", "csrf_token": token})
        assert answer.status_code == 404, record


def test_the_form_offers_what_the_record_takes() -> None:
    assert [code for code, _ in REASONS] == list(get_args(ReviewReason))
    assert {code for code, _, _ in VERDICTS} == set(get_args(Review.model_fields["finding"].annotation))


def test_a_page_beyond_the_last_leads_to_the_last(site: Site) -> None:
    answer = site.client().get("/audit/predictions?page=7")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit/predictions?")


def test_what_is_not_there_is_a_page_that_says_so(site: Site) -> None:
    for path in ("/audit/predictions/nothing-of-this-id", "/audit/predictions/nothing-of-this-id/sheet"):
        assert "Nothing here" in page(site, path, 404)
    assert "cannot be shown" in page(site, "/audit/predictions?colour=blue", 422)
    assert site.client().get("/audit/login/static/../../state.py").status_code in (403, 404)
    assert site.client().get("/audit/login/static/state.py").status_code == 404


def test_the_login_page_needs_no_credentials_and_its_stylesheet_neither(site: Site) -> None:
    stranger: Any = site.client(None)
    assert "API key or token" in stranger.get("/audit/login").text
    assert stranger.get("/audit/login/static/pages.css").headers["content-type"].startswith("text/css")
    accepted = stranger.post("/audit/login", data={"token": site.keys["audit"]})
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/audit")
    assert stranger.get("/audit").status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/model/card", "/audit"])
def test_a_browser_is_led_to_the_login_and_a_program_is_told(site: Site, path: str) -> None:
    stranger = site.client(None)
    browser = stranger.get(
        path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, follow_redirects=False
    )
    assert (browser.status_code, browser.headers.get("location")) == (303, "/audit/login")
    assert stranger.get(path, headers={"accept": "application/json"}).status_code == 401
    assert stranger.get("/version", headers={"accept": "text/html"}).status_code == 401
