"""The demo's log: some thousand SYNTHETIC predictions of the past months, with outcomes, decisions and reviews.

Written through the true drafts, sealing and chain. Only the time in each record is invented; the signed heads carry the
time at which they were really written, as nothing here can date a signature back. Callers are named ``demo:...``.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from features.from_cases import batch_of
from features.sources.synthetic import draw
from models.answer import answer_of
from serving.audit.chain import content_hash
from serving.audit.database import Database
from serving.audit.drafts import Draft, event_draft, prediction_draft
from serving.audit.entries import Decision, Outcome, PredictionEntry, Review
from serving.audit.group_commit import GroupCommit, Unit, last_of
from serving.audit.heads import HeadFile
from serving.audit.keys import generate_keys, load_keys
from serving.audit.recorded import known_features
from serving.demo_pilot import FAMILY as PILOT_FAMILY
from serving.demo_pilot import pilot
from serving.identifiers import new_id
from serving.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from features.case import Case
    from models.response import ResponseModel
    from serving.audit.entries import Event
    from serving.audit.keys import AuditKeys

DAYS = 270
"""Past days that predictions are spread over: nine months."""
CASES = {"checkpoint": 1_500, "targeted": 500}
"""SYNTHETIC cases by family."""
SITES = ("demo:oncology-north", "demo:oncology-south", "demo:day-clinic")
SITE_SHARES = (0.55, 0.3, 0.15)
CASES_AT_ONCE = 100
SEED = 77
"""Of the cases; the models are fitted on others."""
UNIT = 200
"""Records of one group commit."""


@dataclass(frozen=True)
class Moment:
    """One record of the past: when, and what it says."""

    time: datetime
    draft: Draft


def fill_demo(demo: Path, console: Console) -> None:
    """Fill the log of the demo's folder, and say what it holds."""
    console.rule("[bold]a log of SYNTHETIC predictions, for the pages[/bold]")
    started = time.monotonic()
    (demo / "audit").mkdir(exist_ok=True)
    records = fill(demo / "served-models", demo / "audit")
    seconds = time.monotonic() - started
    shown = f"{records:,} records of nine months in {demo}/audit, with outcomes, decisions, reviews"
    console.print(f"{shown} ({seconds:.0f} s)\n", highlight=False)


def fill(models: Path, audit: Path, now: datetime | None = None, cases: Mapping[str, int] | None = None) -> int:
    """Fill an empty log with synthetic predictions; return how many records it has.

    Parameters
    ----------
    models
        Folder of promoted synthetic models; the pilot is stored there as well.
    audit
        Folder of the log: ``audit.db`` and its heads, and beside it the keys in ``keys/``. A log that has records is
        left as it is.
    now
        The last moment of the log; by default the present.
    cases
        How many by family, :data:`CASES` by default.

    Raises
    ------
    SyntheticRefused, NoServedModels
        When there is nothing to answer with.
    """
    folder = audit.parent / "keys"
    generate_keys(folder)
    keys = load_keys(folder)
    database = Database.open(f"sqlite:///{audit.absolute() / 'audit.db'}")
    with database.reading() as connection:
        already = last_of(connection)[0]
    if already:
        return already
    served = Predictor.from_folder(models, synthetic=True)
    until = now or datetime.now(UTC)
    moments = sorted(_moments(served, pilot(models), until, cases or CASES, keys), key=lambda one: one.time)
    _write([one for one in moments if one.time <= until], database, keys, audit)
    return sum(one.time <= until for one in moments)


def _write(moments: Sequence[Moment], database: Database, keys: AuditKeys, audit: Path) -> None:
    writer = GroupCommit(database, keys, HeadFile(audit / "audit.heads.jsonl")).start()
    drafts = [dated(one.draft, one.time) for one in moments]
    for start in range(0, len(drafts), UNIT):
        writer.submit(Unit(drafts[start : start + UNIT]))
    writer.close()
    database.close()


def dated(draft: Draft, time: datetime) -> Draft:
    """Return a draft with another time; its content hash follows."""
    row = {**draft.row, "time": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    return replace(draft, row=row, content=content_hash(row))


def _moments(
    served: Predictor, earlier: ResponseModel, until: datetime, cases: Mapping[str, int], keys: AuditKeys
) -> Iterator[Moment]:
    """Yield every record, family by family; they are put into the order of time later."""
    # The pilot answered until the 20th of last month, so that both versions have months with predictions.
    changed = (until.replace(day=1) - timedelta(days=1)).replace(day=20, hour=7)
    for number, (family, count) in enumerate(cases.items()):
        random = np.random.default_rng([2026, number])
        cohort = draw(family, count, SEED, cohort="external")  # type: ignore[arg-type]  # both are families
        times = sorted(until - timedelta(days=float(days)) for days in random.uniform(0, DAYS, count))
        cuts = sorted({*range(0, count, CASES_AT_ONCE), bisect_left(times, changed), count})
        for start, end in pairwise(cuts):
            asked = [_Asked(times[at], cohort.case(at), float(cohort.response[at])) for at in range(start, end)]
            if family != PILOT_FAMILY:
                yield from _answered(asked, served.by_family[family], None, keys, random)
            elif asked[-1].time < changed:
                yield from _answered(asked, earlier, None, keys, random)
            else:
                yield from _answered(asked, served.by_family[family], earlier, keys, random)


@dataclass(frozen=True)
class _Asked:
    """A case, when it was asked about, and how its patient will respond (1 or 0)."""

    time: datetime
    case: Case
    response: float


def _answered(
    asked: Sequence[_Asked],
    model: ResponseModel,
    challenger: ResponseModel | None,
    keys: AuditKeys,
    random: np.random.Generator,
) -> Iterator[Moment]:
    """Yield the answers of one batch, those of a challenger in shadow, and what was said of them later."""
    cases = [one.case for one in asked]
    shadows = _entries(challenger, cases, random) if challenger is not None else []
    for place, entry in enumerate(_entries(model, cases, random)):
        when = asked[place].time
        draft = prediction_draft(entry, None, keys)
        yield Moment(when, draft)
        if shadows:
            shadow = replace(shadows[place], shadow_of=entry.answer["prediction_id"], caller=entry.caller)
            yield Moment(when + timedelta(milliseconds=5), prediction_draft(shadow, None, keys))
        for days, event in _said_later(asked[place].response, entry.answer, random):
            yield Moment(when + timedelta(days=days), event_draft(event, draft.row, entry.caller, None, keys))


def _entries(model: ResponseModel, cases: Sequence[Case], random: np.random.Generator) -> list[PredictionEntry]:
    answers = model.answers(batch_of(cases))
    sites = random.choice(len(SITES), size=len(cases), p=SITE_SHARES)
    waited = random.gamma(6.0, 2.0, size=len(cases))
    return [
        PredictionEntry(
            case,
            answer_of(answers, row, new_id()),
            model.family,
            SITES[sites[row]],
            float(waited[row]),
            known_features(answers, row),
        )
        for row, case in enumerate(cases)
    ]


def _said_later(
    response: float, answer: Mapping[str, Any], random: np.random.Generator
) -> Iterator[tuple[float, Event]]:
    """Yield what was said of a prediction, and after how many days: decisions soon, responses after 8 to 14 weeks."""
    if answer["status"] == "predicted" and random.random() < 0.6:
        taken = random.random() > 0.12
        reasons = ("comorbidity", "patient_preference", "tumour_board", "estimate_implausible", "access")
        decision = {"decision": "taken"} if taken else {"decision": "overridden", "reason": str(random.choice(reasons))}
        yield random.uniform(0.1, 7), Decision.model_validate(decision)
    if random.random() < 0.7:
        days = random.uniform(56, 98)
        best = "PR" if response == 1 else str(random.choice(["SD", "PD"]))
        yield days, Outcome.model_validate({"best_response": best, "assessed_days_after_index": int(days)})
    if random.random() < 0.04:
        yield random.uniform(1, 20), _review(random)


def _review(random: np.random.Generator) -> Review:
    found = str(random.choice(["agree", "query", "reject"], p=[0.7, 0.2, 0.1]))
    why = {} if found == "agree" else {"reason": "implausible_explanation"}
    return Review.model_validate({"finding": found, **why})
