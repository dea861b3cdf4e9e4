"""The pictures of docs/pictures, taken anew: ``make demo``, then ``python -m tests.doc_pictures .demo docs/pictures``.

Pages are those of a small log at a fixed time, so that the same code gives the same pictures; figures of the report and
the answer on the terminal are those of the demo. Look at each before it is committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browsers import browser, sign_in, watched
from tests.conftest import ROOT
from tests.demo_site import demo_site, filled_folder
from tests.pages_site import served

LIST = "/audit/predictions?histology=LUNG&outcome=known"
"""The list that docs/pages.md shows."""

MELANOMA = "/audit/predictions?histology=SKCM&therapy_class=pd1_pdl1%2Bctla4&version=checkpoint-response/1"
"""Among these is the prediction that docs/pages.md shows."""

BULK = {"calibration": "/audit/calibration", "explanations": "/audit/explanations", "integrity": "/audit/integrity"}

FIGURES = {
    "report-calibration": "calibration-resampled-synthetic-checkpoint-development-1",
    "report-contributions": "contributions",
    "report-decision": "decision-resampled-synthetic-checkpoint-development-1",
}
"""Pictures of the report, and the files of a run that they are."""

WALK = (2, 3, 5)
"""Clicks of docs/audit-walkthrough.md that it shows."""

SHEET_WIDTH, PHONE_WIDTH, GAP = 880, 390, 40
"""Pixels: a page of A4 with its margins, a phone, and what lies between them."""

TALLEST = 3600
"""Pixels of a whole page; the rest of a longer one is cut off."""


def main(demo: Path, out: Path) -> None:
    """Take every picture."""
    _of_the_report(demo, out)
    _of_an_answer(demo, out)
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        models = filled_folder(folder, demo / "served-models")
        with browser() as chrome, demo_site(folder, models) as site, served(site.app) as home:
            _wait_until_read(site)
            _of_the_pages(chrome, home, site.keys["audit"], out)
    _of_the_walk(out)


def _of_the_report(demo: Path, out: Path) -> None:
    (run,) = sorted((demo / "runs").glob("checkpoint_synthetic-*/report/figures"))[:1]
    for name, figure in FIGURES.items():
        shutil.copyfile(run / f"{figure}.png", out / f"{name}.png")


def _of_an_answer(demo: Path, out: Path) -> None:
    words = ["oncorespond.py", "predict", str(demo / "checkpoint.json"), "--picture", str(out / "answer.svg")]
    environment = {**os.environ, "ORP_MODELS": str(demo / "served-models"), "COLUMNS": "100"}
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def _wait_until_read(site: Any) -> None:
    page = site.client("audit")
    while "still being read" in page.get("/audit/explanations").text:
        pass


def _of_the_pages(chrome: Any, home: str, key: str, out: Path) -> None:
    with watched(chrome, home) as seen:
        sign_in(seen, key)
        seen.page.set_viewport_size({"width": 1280, "height": 1000})
        _open(seen.page, home + LIST)
        seen.page.screenshot(path=out / "pages-predictions.png")
        for name, path in BULK.items():
            _open(seen.page, home + path)
            tall = min(TALLEST, seen.page.evaluate("document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": 1280, "height": tall}
            seen.page.screenshot(path=out / f"{name}.png", full_page=True, clip=clip)
        _open(seen.page, home + MELANOMA)
        one = home + (seen.page.locator("tbody tr a").first.get_attribute("href") or "")
        _open(seen.page, one)
        seen.page.locator("#group-tmb summary").first.click()
        seen.page.set_viewport_size({"width": 1280, "height": 1330})
        seen.page.screenshot(path=out / "pages-one-prediction.png")
        _open(seen.page, f"{one}/sheet")
        seen.page.set_viewport_size({"width": SHEET_WIDTH, "height": 1122})
        sheet = seen.page.screenshot()
    with watched(chrome, home, PHONE_WIDTH, "dark") as seen:
        sign_in(seen, key)
        seen.page.set_viewport_size({"width": PHONE_WIDTH, "height": 1100})
        _open(seen.page, one)
        _side_by_side(sheet, seen.page.screenshot(), out / "pages-sheet-and-phone.png")


def _open(page: Any, address: str) -> None:
    """Open a page and wait for its drawings, those further down too."""
    page.goto(address)
    for picture in page.locator("img").all():
        if picture.is_visible():
            picture.scroll_into_view_if_needed()
            page.wait_for_load_state("networkidle")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_load_state("networkidle")


def _side_by_side(left: bytes, right: bytes, place: Path) -> None:
    from io import BytesIO

    from PIL import Image

    parts = [Image.open(BytesIO(one)) for one in (left, right)]
    whole = Image.new("RGB", (sum(one.width for one in parts) + GAP, max(one.height for one in parts)), "#e7ebec")
    whole.paste(parts[0], (0, 0))
    whole.paste(parts[1], (parts[0].width + GAP, 0))
    whole.save(place, optimize=True)


def _of_the_walk(out: Path) -> None:
    with tempfile.TemporaryDirectory() as held:
        test = "tests/test_audit_walk.py::test_the_walk_takes_under_six_clicks"
        words = [sys.executable, "-m", "pytest", "-q", "-n", "0", test]
        subprocess.run(words, cwd=ROOT, env={**os.environ, "ORP_WALK_PICTURES": held}, check=True)
        for click in WALK:
            shutil.copyfile(Path(held) / f"walk-{click}.png", out / f"walk-{click}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
