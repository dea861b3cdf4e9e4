"""One value out of several observations: the latest that is final and not after the index date; ties must agree.

Two different values of one date are a conflict, and none is used. An older value that differs is remarked. Where a
window is given, a value older than it is not used: a blood count of last year says nothing of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.sources.mcode.findings import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.sources.mcode.findings import Notes
    from features.sources.mcode.index import Resource
    from features.sources.mcode.when import When

LAB_WINDOW_DAYS = 42
"""Days before the index date within which a blood value or a performance status counts. Registration trials ask for 28
days before the start; two weeks are added for the time between the laboratory and the decision (our choice)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that could be taken, with its place and date; ``when`` None where it has no date."""

    value: Any
    resource: Resource
    path: str
    when: When | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The index date of a reading: ordinal day, None when unknown."""

    day: int | None

    def is_after(self, when: When | None) -> bool:
        """Return whether a date lies after the index date."""
        if self.day is None or when is None:
            return False
        if when.precision == "day":
            return when.day > self.day
        half = 16 if when.precision == "month" else 184
        return when.day - half > self.day

    def days_before(self, when: When | None) -> float | None:
        """Return days from a date to the index date; None when either is unknown, or only the year is known."""
        if self.day is None or when is None or when.precision == "year":
            return None
        return float(max(0, self.day - when.day)) if when.precision == "month" else float(self.day - when.day)


def choose(
    name: str, found: Sequence[Candidate], index: Day, notes: Notes, window: int | None = None
) -> Candidate | None:
    """Return the candidate that counts and note it as taken; None when there is none, or when they conflict."""
    usable = [one for one in found if _in_time(name, one, index, notes, window)]
    if not usable:
        return None
    last = _last(usable)
    values = list(dict.fromkeys(repr(one.value) for one in last))
    if len(values) > 1:
        shown = ", ".join(sorted(cut(one.value) for one in last)[:4])
        notes.say(
            "conflicting_values",
            f"different values of one date ({shown}); none is used",
            name,
            last[0].resource,
            last[0].path,
        )
        for one in last:
            notes.left(one.resource, one.path, "conflicts with another value of the same date")
        return None
    chosen = last[0]
    _remark(name, chosen, usable, index, notes)
    notes.took(name, chosen.value, chosen.resource, chosen.path, chosen.note)
    return chosen


def _last(usable: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of the latest date; of one day the latest time, where all have a time."""
    dated = [(one.when, one) for one in usable if one.when is not None]
    if not dated:
        return list(usable)
    day = max(when.day for when, _ in dated)
    last = [(when.second, one) for when, one in dated if when.day == day]
    seconds = [second for second, _ in last if second is not None]
    if len(seconds) < len(last):
        return [one for _, one in last]
    return [one for second, one in last if second == max(seconds)]


def _in_time(name: str, one: Candidate, index: Day, notes: Notes, window: int | None) -> bool:
    if index.is_after(one.when):
        notes.say_and_leave("after_index", "dated after the index date", name, one.resource, one.path)
        return False
    age = index.days_before(one.when)
    if window is not None and age is not None and age > window:
        notes.say_and_leave(
            "too_old", f"{age:g} days before the index date; up to {window} days count", name, one.resource, one.path
        )
        return False
    return True


def _remark(name: str, chosen: Candidate, usable: Sequence[Candidate], index: Day, notes: Notes) -> None:
    if chosen.when is None and index.day is not None and chosen.resource.kind != "Patient":
        notes.say("undated", "has no date; it is taken as of the index date", name, chosen.resource, chosen.path)
    if any(repr(one.value) != repr(chosen.value) for one in usable):
        notes.say("older_value", "an older value differs; the latest is used", name, chosen.resource, chosen.path)
