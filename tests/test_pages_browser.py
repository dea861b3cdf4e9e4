"""The pages in a browser: an analyst's walk, by mouse and keyboard, at both widths, in both schemes, on paper."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browsers import Watched, browser, sign_in, watched
from tests.pages_site import HOSTILE_CASE, RICH, Site, served

SERIOUS = {"serious", "critical"}
FEWEST_RULES = 10
"""Rules of axe that apply to, and pass on, the plainest page; with fewer it has not run."""


@pytest.fixture(scope="module")
def home(site: Site) -> Iterator[str]:
    with served(site.app) as address:
        yield address


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def seen(chrome: Any, home: str, site: Site) -> Iterator[Watched]:
    with watched(chrome, home) as found:
        sign_in(found, site.keys["audit"])
        yield found


def test_an_analyst_filters_opens_expands_replays_and_reviews(seen: Watched, site: Site) -> None:
    page = seen.page
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Predictions").click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Histology").fill("LUNG")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**histology=LUNG**")
    page.get_by_role("region", name="Predictions").get_by_role(
        "link", name=re.compile(r"\d{4}-\d\d-\d\d")
    ).first.click()
    page.wait_for_url(f"**/{site.ids[RICH]}")

    group = page.locator("#group-evidence")
    expect(group.locator("table").first).to_be_hidden()
    group.locator("summary").first.click()
    expect(group.get_by_text("Published arms it leans on")).to_be_visible()
    page.locator("#sensitivity summary").first.click()
    expect(page.locator("#sensitivity table").first.get_by_text("this case")).to_be_visible()

    page.get_by_role("button", name="Replay this answer").click()
    expect(page.get_by_text("Every number is the same")).to_be_visible()

    page.get_by_label("Query").check()
    page.get_by_label("Reason (needed to reject)").select_option("implausible_explanation")
    page.get_by_label("Note, encrypted").fill("TMB should weigh more here")
    page.get_by_role("button", name="Log the review").click()
    expect(page.get_by_text("The review is in the log")).to_be_visible()
    expect(page.get_by_text("TMB should weigh more here")).to_be_visible()
    seen.assert_quiet()
    assert site.auditor.lookup(site.ids[RICH]).later[-1].row["status"] == "query"


def test_an_analyst_takes_the_filtered_list_along(seen: Watched, site: Site, tmp_path: Path) -> None:
    page = seen.page
    page.goto(f"{seen.home}/audit/predictions?status=predicted")
    for name, head in (("CSV", b"record_id"), ("Parquet", b"PAR1")):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name, exact=True).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        assert path.read_bytes().startswith(head)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 5
    assert all(row["status"] == "predicted" for row in rows)
    seen.assert_quiet()


def test_everything_can_be_reached_and_opened_by_keyboard(seen: Watched, site: Site) -> None:
    page = seen.page
    page.goto(f"{seen.home}/audit/predictions/{site.ids[RICH]}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.locator("#group-patient > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#group-patient table").first).to_be_visible()
    page.locator("#finding-agree").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#finding-query")).to_be_checked()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    seen.assert_quiet()


def test_hostile_text_stays_text(seen: Watched, site: Site) -> None:
    for path in (site.ids[HOSTILE_CASE], f"{site.ids[HOSTILE_CASE]}/sheet"):
        seen.page.goto(f"{seen.home}/audit/predictions/{path}")
        assert seen.page.locator("script").count() == 0
    seen.assert_quiet()


PHONE = 390
"""Pixels."""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (PHONE, "dark")])
def test_every_page_is_accessible_fits_its_window_and_asks_nobody_else(
    chrome: Any, home: str, site: Site, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    with watched(chrome, home, width, scheme, bypass_csp=True) as seen:  # axe is put into the page as a script
        seen.page.goto(f"{home}/audit/login")
        found = [("/audit/login", _serious(axe, seen.page))]
        sign_in(seen, site.keys["audit"])
        for path in site.pages:
            answer = seen.page.goto(home + path)
            assert answer.status == 200, path
            if width > PHONE:  # opened once; the same parts again on a phone would cost half a minute
                seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            found.append((path, _serious(axe, seen.page)))
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} px wide"
        seen.assert_quiet()
    assert [one for one in found if one[1]] == []


def _serious(axe: Any, page: Any) -> list[str]:
    found = axe.run(page, options={"resultTypes": ["violations"]}).response
    assert len(found["passes"]) >= FEWEST_RULES, "axe has looked at nothing"
    violations = found["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in violations
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]


def test_no_page_breaks_its_own_content_policy(chrome: Any, home: str, site: Site) -> None:
    with watched(chrome, home, 390, "dark") as seen:
        sign_in(seen, site.keys["audit"])
        for path in site.pages:
            seen.page.goto(home + path)
        seen.assert_quiet()


def test_the_sheet_prints_on_one_page(seen: Watched, site: Site) -> None:
    for place in range(len(site.ids)):
        seen.page.goto(f"{seen.home}/audit/predictions/{site.ids[place]}/sheet")
        written = seen.page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", written)) == 1, place


def test_colours_follow_the_scheme(chrome: Any, home: str, site: Site) -> None:
    found = {}
    for scheme in ("light", "dark"):
        with watched(chrome, home, 1280, scheme) as seen:
            sign_in(seen, site.keys["audit"])
            found[scheme] = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert found["light"] != found["dark"]


def test_signing_out_ends_the_session(seen: Watched) -> None:
    seen.page.get_by_role("button", name="Sign out").click()
    seen.page.wait_for_url("**/audit/login**")
    answer = seen.page.goto(f"{seen.home}/audit/predictions")
    assert answer.status == 401 or "/audit/login" in seen.page.url
