"""What every reader of a bundle shares: the resources, the notes, the index date, and the values offered so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features.sources.mcode.choosing import Candidate, Day
from features.sources.mcode.findings import Notes
from features.sources.mcode.results import shown

if TYPE_CHECKING:
    from features.sources.mcode.gather import Gathered
    from features.sources.mcode.index import Index, Resource
    from features.sources.mcode.observations import Observed
    from features.sources.mcode.when import When


@dataclass(slots=True)
class Context:
    """One reading.

    Attributes
    ----------
    offers
        Values that could be taken, by field of the case; one of each is chosen at the end.
    set_aside
        Observations that are not used as they are (status, code): their genes are no negatives.
    observed
        Everything observed, by topic.
    """

    gathered: Gathered
    index: Index
    notes: Notes = field(default_factory=Notes)
    day: Day = field(default_factory=lambda: Day(None))
    observed: dict[str, list[Observed]] = field(default_factory=dict)
    offers: dict[str, list[Candidate]] = field(default_factory=dict)
    set_aside: list[Resource] = field(default_factory=list)

    def offer(self, name: str, value: Any, source: Resource, path: str, when: When | None, note: str = "") -> None:
        """Offer a value for a field."""
        self.offers.setdefault(name, []).append(Candidate(value, source, path, when, note))

    def offer_observed(self, name: str, value: Any, one: Observed, note: str = "") -> None:
        """Offer a value of an observation, and say so when only words told what it is about."""
        self.offer(name, value, one.resource, f"{one.path}.value", one.when, note)
        if one.by_text:
            self.notes.say(
                "by_text", "the test is named by words only, without a code", name, one.resource, f"{one.path}.code"
            )

    def not_used(self, code: str, name: str, one: Observed, why: str) -> None:
        """Say why a value that was observed is not used."""
        message = f"{why}: {shown(one.holder)!r}" if why else repr(shown(one.holder))
        self.notes.say_and_leave(code, message, name, one.resource, f"{one.path}.value")
