"""From single records of drugs to regimens: courses of one drug, drugs started together, stated lines, responses.

The windows are those of :mod:`features.line_derivation`: what starts within 28 days belongs together, 90 days without
a drug end its course. How many lines they make is derived there, and marked as derived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features.last_regimen import RANK
from features.line_sequence import GAP_DAYS, REGIMEN_WINDOW_DAYS
from features.sources.mcode import codes
from features.sources.mcode.results import value_concept, words_of
from features.sources.mcode.systems import extensions
from features.sources.mcode.when import When

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource
    from features.sources.mcode.medications import Given

NAME = "prior_therapies"
_RESPONSE_WORDS = {
    "complete response": "CR", "complete remission": "CR", "cr": "CR", "partial response": "PR",
    "partial remission": "PR", "pr": "PR", "stable disease": "SD", "sd": "SD", "progressive disease": "PD",
    "progression": "PD", "disease progression": "PD", "pd": "PD",
}  # fmt: skip


@dataclass(slots=True)
class Course:
    """Drugs given together over a time; days are ordinals, None where unknown."""

    agents: set[str]
    start: When | None
    end: When | None
    sources: list[Resource]
    regimen_class: str = ""
    line: int | None = None
    intents: set[str] = field(default_factory=set)
    episode: Resource | None = None


def read_prior_therapies(context: Context, given: list[Given]) -> list[dict[str, Any]]:
    """Return ``prior_therapies`` of the case, the earliest first; [] when nothing was given or recorded."""
    stated = [one for one in given if one.episode is not None or one.line is not None]
    loose = [one for one in given if one.episode is None and one.line is None]
    courses = [*_by_line(stated), *_together(_courses(loose))]
    courses.sort(key=_order)
    _list_unused_responses(context, courses)
    return [_written(context, course, place, courses) for place, course in enumerate(courses)]


def _order(course: Course) -> tuple[float, int, str]:
    day = course.start.day if course.start is not None else float("inf")
    return day, course.line or 0, f"{sorted(course.agents)}{course.regimen_class}"


def _by_line(stated: list[Given]) -> list[Course]:
    """Join the drugs of one stated line, as an episode or by its number."""
    lines: dict[object, list[Given]] = {}
    for one in stated:
        lines.setdefault(one.episode if one.episode is not None else one.line, []).append(one)
    return [_joined(members) for members in lines.values()]


def _joined(members: list[Given]) -> Course:
    starts = [one.start for one in members if one.start is not None]
    ends = [one.end for one in members]
    first = members[0]
    return Course(
        {name for one in members for name in one.agents},
        min(starts, key=lambda when: when.day) if starts else None,
        None
        if None in ends
        else max((end for end in ends if end is not None), key=lambda when: when.day, default=None),
        [one.resource for one in members],
        first.regimen_class,
        first.line,
        {one.intent for one in members if one.intent},
        first.episode,
    )


def _courses(given: list[Given]) -> list[Course]:
    """Return the courses of each drug; a poorer record of a course that is known better adds nothing."""
    by_drug: dict[str, list[Given]] = {}
    for one in given:
        for name in one.agents or (f"class:{one.regimen_class}",):
            by_drug.setdefault(name, []).append(one)
    return [course for name in sorted(by_drug) for course in _of_drug(name, by_drug[name])]


def _of_drug(name: str, given: list[Given]) -> list[Course]:
    found: list[Course] = []
    for rank in sorted({one.rank for one in given}):
        events = [one for one in given if one.rank == rank]
        better = list(found)
        new = [one for one in events if not any(_covers(course, one) for course in better)]
        found.extend(_runs(name, new))
    return found


def _covers(course: Course, one: Given) -> bool:
    """Return whether a course that is known better already tells of a record."""
    if one.start is None or course.start is None:
        return True
    last = course.end or course.start
    return course.start.day - REGIMEN_WINDOW_DAYS <= one.start.day <= last.day + GAP_DAYS


def _runs(name: str, events: list[Given]) -> list[Course]:
    dated = sorted(
        (one for one in events if one.start is not None),
        key=lambda one: (one.start.day if one.start else 0, one.resource.reference),
    )
    undated = [one for one in events if one.start is None]
    found: list[Course] = []
    for one in dated:
        last = found[-1] if found else None
        if last is not None and one.start is not None and one.start.day - _known_end(last).day < GAP_DAYS:
            last.end = _later(last.end, one.end)
            last.sources.append(one.resource)
            last.intents |= {one.intent} - {""}
        else:
            found.append(_course(name, one))
    if undated and not found:
        found.append(_course(name, undated[0]))
    return found


def _course(name: str, one: Given) -> Course:
    of_class = name.removeprefix("class:") if name.startswith("class:") else ""
    return Course(
        set() if of_class else {name}, one.start, one.end, [one.resource], of_class, None, {one.intent} - {""}
    )


def _known_end(course: Course) -> When:
    return course.end or course.start or When(0)


def _later(one: When | None, other: When | None) -> When | None:
    return None if one is None or other is None else max(one, other, key=lambda when: when.day)


def _together(courses: list[Course]) -> list[Course]:
    """Join drugs of one record, and drugs that started within 28 days, into regimens; a class stands alone."""
    found: list[Course] = []
    for course in sorted(courses, key=_order):
        into = next((one for one in found if set(one.sources) & set(course.sources)), None)
        if into is None and found and _within_window(found[-1], course):
            into = found[-1]
        if into is None:
            found.append(course)
            continue
        into.agents |= course.agents
        into.end = _later(into.end, course.end)
        into.sources.extend(course.sources)
        into.intents |= course.intents
    return found


def _within_window(line: Course, course: Course) -> bool:
    if line.start is None or course.start is None or line.regimen_class or course.regimen_class:
        return False
    return course.start.day - line.start.day <= REGIMEN_WINDOW_DAYS


def _list_unused_responses(context: Context, courses: list[Course]) -> None:
    """List the disease statuses that no regimen can have."""
    for one in context.observed.get("disease_status", ()):
        if response_of(one.holder) == "":
            context.notes.left(one.resource, f"{one.path}.value", "no response by RECIST", one.code.shown)
        elif one.when is None or not courses:
            context.notes.left(one.resource, one.path, "a response that belongs to no dated regimen", one.code.shown)


def response_of(holder: dict[str, Any]) -> str:
    """Return CR, PR, SD or PD of a disease status, "" when it is none of them."""
    coded = {codes.RESPONSE[one.code] for one in value_concept(holder).codings if one.code in codes.RESPONSE}
    coded = coded or {
        _RESPONSE_WORDS[word] for words in words_of(holder) if (word := words.strip().lower()) in _RESPONSE_WORDS
    }
    return coded.pop() if len(coded) == 1 else ""


def _best_response(context: Context, place: int, courses: list[Course]) -> tuple[str, Resource | None]:
    """Return the best response between the start of a regimen and that of the next."""
    start = courses[place].start
    if start is None:
        return "", None
    after = [one.start.day for one in courses[place + 1 :] if one.start is not None]
    until = min(after, default=None)
    best: tuple[str, Resource | None] = ("", None)
    for one in context.observed.get("disease_status", ()):
        said = response_of(one.holder)
        inside = one.when is not None and start.day < one.when.day and (until is None or one.when.day <= until)
        if said and inside and not context.day.is_after(one.when) and RANK[said] > RANK.get(best[0], 0.0):
            best = said, one.resource
    return best


def _written(context: Context, course: Course, place: int, courses: list[Course]) -> dict[str, Any]:
    found: dict[str, Any] = (
        {"class": course.regimen_class} if course.regimen_class else {"agents": sorted(course.agents)}
    )
    source = course.sources[0]
    if course.line is not None:
        found["line"] = course.line
    if setting := _setting(context, course):
        found["setting"] = setting
    response, of = _best_response(context, place, courses)
    stated = _stated_response(course.episode)
    if stated or response:
        found["best_response"] = stated or response
        context.notes.took(
            f"{NAME}[{place}].best_response", found["best_response"], of or course.episode, "Observation.value"
        )
    for name, when in (("started_days_before_index", course.start), ("ended_days_before_index", course.end)):
        days = context.day.days_before(when)
        if days is not None:
            found[name] = days
    if course.start is not None and course.start.precision != "day":
        context.notes.say(
            "partial_date", f"only the {course.start.precision} of its start is known", NAME, source, source.kind
        )
    for one in dict.fromkeys(course.sources):
        context.notes.took(
            f"{NAME}[{place}]", " + ".join(sorted(course.agents)) or course.regimen_class, one, f"{one.kind}.medication"
        )
    return _in_order_of_time(found)


def _in_order_of_time(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out an end that lies before the start (two partial dates); it is not known."""
    start, end = found.get("started_days_before_index"), found.get("ended_days_before_index")
    if start is not None and end is not None and end > start:
        del found["ended_days_before_index"]
    return found


def _setting(context: Context, course: Course) -> str:
    known = {codes.SETTING[intent] for intent in course.intents if intent in codes.SETTING} | _stated_setting(
        course.episode
    )
    if codes.CURATIVE in course.intents and not known:
        message = "curative intent without adjuvant or neoadjuvant: its setting is not known, and it counts as a line"
        context.notes.say("curative_intent", message, NAME, course.sources[0], course.sources[0].kind)
    return known.pop() if len(known) == 1 else ""


def _stated_setting(episode: Resource | None) -> set[str]:
    found = extensions(episode.body, "therapy-setting") if episode is not None else ()
    return {str(one.get("valueCode")) for one in found} & {"metastatic", "adjuvant", "neoadjuvant", "locally_advanced"}


def _stated_response(episode: Resource | None) -> str:
    found = extensions(episode.body, "best-response") if episode is not None else ()
    said: Iterable[str] = (str(one.get("valueCode")) for one in found)
    return next((one for one in said if one in {"CR", "PR", "SD", "PD", "NE"}), "")
