"""An analyst is told "find the predictions where TMB pushed the wrong way last month, and show me one"."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browsers import browser, sign_in, watched
from tests.demo_site import demo_site
from tests.pages_site import Site, served

MOST_CLICKS = 5
"""Under six, the sign-in apart."""

PICTURES = os.environ.get("ORP_WALK_PICTURES")
"""A folder: the walk's pictures are written there, as docs/audit-walkthrough.md shows them."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def site(demo_folder: Path, chrome: Any) -> Iterator[Site]:
    with demo_site(demo_folder, demo_folder / "served-models") as found:
        yield found


@pytest.fixture(scope="module")
def home(site: Site) -> Iterator[str]:
    with served(site.app) as address:
        page = site.client()
        until = time.monotonic() + 120
        while "still being read" in page.get("/audit/explanations").text:
            assert time.monotonic() < until, "the log was not read in time"
            time.sleep(0.1)
        yield address


class Clicks:
    """Clicks like a person, counts, and takes a picture of what is seen after each."""

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0

    def on(self, what: Any, leads_to: str = "") -> None:
        """Click, and wait for the address it leads to: what is looked at next may not be of the page before."""
        what.click()
        self.count += 1
        self.page.wait_for_url(re.compile(leads_to))
        self.page.wait_for_load_state("networkidle")
        if PICTURES:
            self.page.screenshot(path=f"{PICTURES}/walk-{self.count}.png")


def test_the_walk_takes_under_six_clicks(chrome: Any, home: str, site: Site) -> None:
    with watched(chrome, home) as seen:
        sign_in(seen, site.keys["audit"])
        page, clicks = seen.page, Clicks(seen.page)
        navigation = page.get_by_role("navigation", name="Pages")
        clicks.on(navigation.get_by_role("link", name="Explanations"), "/audit/explanations")
        clicks.on(page.get_by_role("link", name="last month"), "since=2026-10")
        row = page.locator("#signs tr").filter(has=page.get_by_role("rowheader", name="TMB", exact=True))
        told = int(re.search(r"the (\d+) prediction", row.inner_text())[1])  # type: ignore[index]
        clicks.on(row.get_by_role("link", name=re.compile("^the .* prediction")), "disagrees=tmb_mut_per_mb")
        listed = page.get_by_role("region", name="Predictions").locator("tbody tr")
        assert listed.count() == told > 0
        assert "since=2026-10" in page.url
        clicks.on(listed.first.get_by_role("link").first, "/audit/predictions/.")
        burden = page.locator("#group-tmb")
        clicks.on(burden.locator("summary").first)
        expect(burden.get_by_text("TMB").first).to_be_visible()
        assert "TMB" in burden.inner_text()
        assert re.search(r"[+\N{MINUS SIGN}]\d\.\d\d", burden.inner_text()), "the contribution stands there"
        assert clicks.count <= MOST_CLICKS
        seen.assert_quiet()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("address", ["/audit/explanations", "/audit/compare", "/audit/calibration", "/audit/integrity"])
def test_bulk_pages_are_quiet_fit_and_are_accessible(
    address: str, width: int, scheme: str, chrome: Any, home: str, site: Site
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with watched(chrome, home, width, scheme) as seen:
        sign_in(seen, site.keys["audit"])
        page = seen.page
        page.goto(home + address)
        for picture in page.locator(".drawn img").all():
            if picture.is_visible():
                picture.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        broken = "() => [...document.images].filter(one => one.complete && one.currentSrc && !one.naturalWidth).length"
        assert page.evaluate(broken) == 0
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wider) <= 0, "the page scrolls sideways"
        found = Axe().run(page).response
        serious = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert len(found["passes"]) > 10
        assert serious == []
        seen.assert_quiet()
