"""The system's chromium for tests of pages: what it asks for and complains about is kept, and it may be required."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

REQUIRED = os.environ.get("CI") == "true" and os.environ.get("ORP_REQUIRE_BROWSER") == "1"
SEEN_WITHIN_MS = 60_000
"""As long as a busy machine may take to show what is looked for; the browser's own 5 s are for a quiet one."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Return the browser's path; skip with the reason where there is none, and fail where it is required."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        reason = f"needs a browser: none of {', '.join(NAMES)} is installed"
        if REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass
class Watched:
    """A page, and what went on in it."""

    page: Any
    home: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def assert_quiet(self) -> None:
        """Nothing was complained about, and nobody else was asked for anything."""
        assert self.complaints == []
        assert self.strangers == []


@contextmanager
def browser() -> Iterator[Any]:
    """Start the browser once for many pages."""
    from playwright.sync_api import expect, sync_playwright

    path = chromium()
    expect.set_options(timeout=SEEN_WITHIN_MS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@contextmanager
def watched(found: Any, home: str, width: int = 1280, scheme: str = "light", **more: Any) -> Iterator[Watched]:
    """Open a page at a width and in a colour scheme; what it asks of other hosts is kept, and refused."""
    context = found.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
    seen = Watched(context.new_page(), home)
    host = urlsplit(home).netloc

    def guard(route: Any) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("data", "blob") or address.netloc == host:
            route.continue_()
        else:
            seen.strangers.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    seen.page.on("console", lambda one: seen.complaints.append(one.text) if one.type in ("error", "warning") else None)
    seen.page.on("pageerror", lambda fault: seen.complaints.append(str(fault)))
    try:
        yield seen
    finally:
        context.close()


def sign_in(seen: Watched, key: str) -> None:
    """Sign in as a person does."""
    seen.page.goto(f"{seen.home}/audit/login")
    seen.page.get_by_label("API key or token").fill(key)
    seen.page.get_by_role("button", name="Sign in").click()
    seen.page.wait_for_url(f"{seen.home}/audit")
