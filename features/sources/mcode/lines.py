"""Lines of therapy that are stated outside the list of medications, and therapy that is only a procedure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.measures import LINES
from features.sources.mcode import codes
from features.sources.mcode.medications import line_number
from features.sources.mcode.plain import number, records, text, value_of
from features.sources.mcode.systems import concept
from features.sources.mcode.when import read_date, start_and_end

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.medications import Given

NAME = "prior_lines"
_NOT_STARTED = frozenset({"planned", "waitlist", "cancelled", "entered-in-error"})


def read_lines(context: Context, given: list[Given]) -> None:
    """Offer the number of lines that episodes state, and systemic therapy that procedures tell of."""
    linked = {one.episode for one in given if one.episode is not None}
    for episode in context.index.of_kind("EpisodeOfCare"):
        stated = line_number(episode)
        kinds = [one for item in records(episode.body.get("type")) for one in concept(item).codings]
        of_therapy = any((one.system, one.code) == codes.LINE_OF_THERAPY for one in kinds)
        if episode in linked or not of_therapy:
            continue
        start = (
            read_date((episode.body.get("period") or {}).get("start"))
            if isinstance(episode.body.get("period"), dict)
            else None
        )
        started = start is None or (not context.day.is_after(start) and start.day != context.day.day)
        if stated is None or not started or text(episode.body.get("status")) in _NOT_STARTED:
            context.notes.left(episode, "EpisodeOfCare", "a line of therapy without a number, or not begun")
        else:
            context.offer("episode_lines", stated, episode, "EpisodeOfCare.extension(therapy-line-number)", start)
    _procedures(context)


def _procedures(context: Context) -> None:
    for procedure in context.index.of_kind("Procedure"):
        coded = set(concept(procedure.body.get("code")).codes("sct"))
        start, _ = start_and_end(procedure.body, "performed")
        done = text(procedure.body.get("status")) in {"completed", "in-progress", "stopped", ""}
        if coded & codes.CHEMOTHERAPY_PROCEDURES and done and not context.day.is_after(start):
            context.offer(
                "prior_systemic_therapy", True, procedure, "Procedure.code", start, "a procedure without its drugs"
            )
        else:
            context.notes.left(
                procedure, "Procedure.code", "no input of the model", concept(procedure.body.get("code")).shown
            )


def stated_by_episodes(context: Context) -> None:
    """Turn the episodes that medications do not refer to into one number: the highest line that has begun."""
    found = context.offers.pop("episode_lines", [])
    if found and NAME not in context.offers:
        highest = max(found, key=lambda one: (one.value, one.resource.reference))
        context.offer(NAME, highest.value, highest.resource, highest.path, None, "the highest line stated")


def asked_lines(context: Context, given: Any) -> int | None:
    """Return the number of lines that the caller or Parameters give, None when neither does."""
    entries = context.gathered.parameters.get("priorLines", [])
    value = given if given is not None else value_of(entries[0])[1] if entries else None
    if value is None:
        return None
    exact = number(value)
    if exact is None or exact != int(exact) or not LINES.low <= exact <= LINES.high:
        message = f"{value!s:.20} is no whole number of lines, {LINES.low:g} to {LINES.high:g}"
        context.notes.say("prior_lines_invalid", message, NAME, path="Parameters.parameter(priorLines)")
        return None
    return int(exact)
