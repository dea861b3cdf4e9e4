"""Integrity: is the log what was written, do its answers repeat, and which models answered when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.pages.integrity_checks import (
    REPLAYED,
    VERIFIED_AT_ONCE,
    Checks,
    replay_sample,
    self_tests,
    served_when,
    verification,
)
from serving.pages.log_follow import facts_of
from serving.pages.refusals import PageRequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from starlette.responses import Response

    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

ADDRESS = "/audit/integrity"


def add_routes(pages: Pages) -> None:
    """Add the page, and the form that asks for a check."""
    pages.get(ADDRESS, integrity)
    pages.post(f"{ADDRESS}/check", check)


def integrity(visit: Visit) -> Response:
    """Show what was checked, when, and what was found."""
    checks, reader = checks_of(visit), visit.reader
    behind = reader.catch_up()
    last = reader.last_record()
    for name, make in available(visit).items():
        if name not in checks.done and (name != "verify" or last <= VERIFIED_AT_ONCE):
            checks.start(name, make)
    replays = checks.done.get("replay")
    return visit.show(
        "integrity.html",
        done=checks.done,
        running=checks.running,
        last=last,
        columns=facts_of(reader.columns),
        behind=behind,
        served=served_when(reader),
        sample=REPLAYED,
        differing=[one for one in (replays.found or []) if one.result != "equal"] if replays else [],
        address=ADDRESS,
    )


def check(visit: Visit) -> Response:
    """Start a check, then show the page."""
    name, known = visit.form.get("check", ""), available(visit)
    if name not in known:
        raise PageRequestRefused("there is no such check", field="check", allowed=list(known))
    checks_of(visit).start(name, known[name])
    return visit.go(f"{ADDRESS}#{name}")


def checks_of(visit: Visit) -> Checks:
    """Return the checks of this worker."""
    found: Checks = visit.state.kept.setdefault("checks", Checks())
    return found


def available(visit: Visit) -> dict[str, Callable[[], Any]]:
    """Return the checks by name, ready to be made in a thread."""
    auditor, reader, state = visit.auditor, visit.reader, visit.state
    predictor = state.get_predictor()
    models = list(predictor.by_family.values()) if predictor is not None else []
    return {
        "verify": lambda: verification(auditor),
        "replay": lambda: replay_sample(reader, state.artefacts),
        "selftest": lambda: self_tests(models, state.model_folders),
    }
