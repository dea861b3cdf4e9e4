"""Reading a request body: bytes to cases. Strict JSON, known keys, and a case's own refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.case import read_case
from features.errors import InvalidCase, Refusal, seen_text
from features.strict_json import strict_json
from features.vocabulary import nearest
from serving.deadline import check_deadline
from serving.errors import (
    BentoInputRefused,
    CasesRefused,
    NotAnObject,
    NotJson,
    TherapiesRefused,
    TooManyCases,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Case

MOST_CASES = 1_000
"""Cases of one batch request; `oncorespond score` has no such limit."""

MOST_THERAPIES = 50
"""Therapies of one request."""

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of one request body; a case with 20,000 alterations has about 2 MB."""


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises
    ------
    NotJson
        When the text is not JSON, or holds NaN or an infinity.
    NotAnObject
        When it is JSON of another type.
    DuplicateKey
        When an object of it names a key twice: one of the two values would be dropped in silence.
    """
    try:
        found = strict_json(body)
    except ValueError as error:
        place = str(error).rpartition(" at ")[2]
        raise NotJson(f"the body is not JSON (at {place})", way_out="Send one JSON object; NaN is not JSON.") from None
    if not isinstance(found, dict):
        raise NotAnObject(f"the body is a JSON {type(found).__name__}", way_out="Send one JSON object.")
    return found


def cases_of(raw: Mapping[str, Any]) -> tuple[list[Case], bool]:
    """Return the case of a request, once per therapy, and whether ``therapies`` was used.

    ``therapies`` is a list of regimens and stands in the place of ``therapy``.

    Raises
    ------
    TherapiesRefused, InvalidCase
        See :mod:`serving.errors` and :mod:`features.errors`.
    """
    if "therapies" not in raw:
        return [read_case(raw)], False
    therapies = raw["therapies"]
    if "therapy" in raw:
        raise TherapiesRefused("give `therapy` or `therapies`, not both", field="therapies")
    if not isinstance(therapies, list) or not therapies:
        raise TherapiesRefused(f"a list of regimens is asked for, seen {seen_text(therapies)}", field="therapies")
    if len(therapies) > MOST_THERAPIES:
        raise TherapiesRefused(
            f"{len(therapies)} therapies; at most {MOST_THERAPIES} fit one request", field="therapies"
        )
    rest = {key: value for key, value in raw.items() if key != "therapies"}
    return [_with_therapy(rest, therapy, place) for place, therapy in enumerate(therapies)], True


def _with_therapy(rest: Mapping[str, Any], therapy: Any, place: int) -> Case:
    try:
        return read_case({**rest, "therapy": therapy})
    except InvalidCase as invalid:
        for problem in invalid.problems:
            if problem.field and problem.field.split(".")[0] == "therapy":
                problem.field = f"therapies[{place}]" + problem.field.removeprefix("therapy")
        raise InvalidCase(invalid.problems, record=invalid.record) from None


def bento_case(raw: Mapping[str, Any]) -> Case:
    """Return the case that BentoML's client sent: it names the argument of the function, ``{"case": {...}}``.

    Raises
    ------
    BentoInputRefused, InvalidCase
        When it is of another form, or the case is refused.
    """
    if set(raw) != {"case"} or not isinstance(raw["case"], dict):
        raise BentoInputRefused(f'{{"case": {{...}}}} is asked for, seen the keys {sorted(raw)[:10]}', field="case")
    return read_case(raw["case"])


def batch_entries(raw: Mapping[str, Any]) -> list[Any]:
    """Return the raw cases of a batch request, not yet read.

    Raises
    ------
    CasesRefused, TooManyCases
        When the object is not ``{"cases": [...]}`` with 1 to 1,000 entries.
    """
    other = [key for key in raw if key != "cases"]
    if other or "cases" not in raw:
        hint = f" Did you mean 'cases' instead of {other[0]!r}?" if other and nearest(other[0], ["cases"]) else ""
        raise CasesRefused(f'a batch is {{"cases": [...]}}, seen the keys {sorted(raw)[:10]}.{hint}', field="cases")
    entries = raw["cases"]
    if not isinstance(entries, list) or not entries:
        raise CasesRefused(f"a list of cases is asked for, seen {seen_text(entries)}", field="cases")
    if len(entries) > MOST_CASES:
        raise TooManyCases(
            f"{len(entries)} cases; at most {MOST_CASES} fit one request",
            field="cases",
            way_out="Send several requests, or use `oncorespond score`.",
        )
    return entries


def read_entry(entry: Any, place: int) -> Case | Refusal:
    """Read one case of a batch; a refusal is returned, not raised, so that the others are still answered."""
    check_deadline()
    if not isinstance(entry, dict):
        return NotAnObject(f"an object is asked for, seen {seen_text(entry)}", field=f"cases[{place}]")
    try:
        return read_case(entry)
    except InvalidCase as invalid:
        return invalid
