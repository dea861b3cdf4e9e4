"""Observations and their components laid side by side: what each is about, its value, its date, whether it may be used.

A panel with components (a blood count, a PD-L1 panel) and separate observations come out alike. Results that are
entered in error, cancelled or not final are left out here, once, and so are those of another subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features.sources.mcode import codes
from features.sources.mcode.plain import Json, record, records, text
from features.sources.mcode.systems import Concept, concept
from features.sources.mcode.when import When, observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from features.sources.mcode.findings import Notes
    from features.sources.mcode.index import Resource

USABLE = frozenset({"final", "amended", "corrected", "appended"})
UNFINISHED = frozenset({"preliminary", "registered", "partial", "unknown"})


@dataclass(frozen=True, slots=True)
class Observed:
    """One thing observed.

    Attributes
    ----------
    topic
        What it is about: a key of :data:`codes.TOPICS`, or the path of a field for our own codes.
    holder
        The Observation or the component that holds ``value[x]``.
    resource, path
        Where it stands.
    when
        Date of the observation, None when it has none.
    by_text
        Whether only words, not a code, say what it is about.
    """

    topic: str
    holder: Json
    resource: Resource
    path: str
    when: When | None
    code: Concept
    by_text: bool = False

    @property
    def method(self) -> Concept:
        """Return the method of the observation."""
        return concept(self.resource.body.get("method"))


@lru_cache(maxsize=8192)
def topic_of(code: Concept) -> tuple[str, bool]:
    """Return the topic of a code and whether it came from words; ``several`` when its codings disagree.

    Examples
    --------
    >>> topic_of(concept({"text": "Tumor Mutational Burden"}))
    ('tmb', True)
    """
    found = {topic for one in code.codings if (topic := codes.topic(one.system, one.code))}
    if found:
        return (found.pop() if len(found) == 1 else "several"), False
    return next((topic for words in code.words if (topic := codes.topic_of_words(words))), ""), True


@lru_cache(maxsize=64)
def _status(status: str) -> str:
    if status in USABLE:
        return ""
    return "unfinished" if status in UNFINISHED else "void"


def usable(resource: Resource, notes: Notes) -> bool:
    """Return whether an observation or a report may be used by its status; a missing status is let pass."""
    status = text(resource.body.get("status"))
    if not status:
        return True
    state = _status(status)
    if state == "unfinished":
        notes.say_and_leave(
            "status_not_final",
            f"its status is {status[:20]}; only final results are used",
            "",
            resource,
            f"{resource.kind}.status",
        )
    elif state:
        notes.left(resource, f"{resource.kind}.status", f"not used: status {status[:20]}")
    return not state


def observations(resources: Iterable[Resource], notes: Notes, set_aside: list[Resource]) -> dict[str, list[Observed]]:
    """Return everything observed, by topic; what is not used as it is goes to ``set_aside``."""
    found: dict[str, list[Observed]] = {}
    for resource in resources:
        inside = list(_of_resource(resource, notes)) if usable(resource, notes) else []
        if not inside:
            set_aside.append(resource)
        for one in inside:
            found.setdefault(one.topic, []).append(one)
    return found


def _of_resource(resource: Resource, notes: Notes) -> Iterator[Observed]:
    code = concept(resource.body.get("code"))
    topic, by_text = topic_of(code)
    when = observed(resource.body)
    if topic == "several":
        notes.say_and_leave(
            "display_conflict", "its codings name different tests", "", resource, "Observation.code.coding"
        )
        return
    if topic:
        yield Observed(topic, resource.body, resource, "Observation", when, code, by_text)
    if topic in codes.WITH_OWN_COMPONENTS:
        return
    inner = list(_components(resource, when))
    yield from inner
    if not topic and not inner:
        notes.left(resource, "Observation.code", "no input of the model has this code", code.shown)


def _components(resource: Resource, when: When | None) -> Iterator[Observed]:
    for place, component in enumerate(records(resource.body.get("component"))):
        code = concept(component.get("code"))
        topic, by_text = topic_of(code)
        if topic and topic != "several" and topic not in codes.WITH_OWN_COMPONENTS:
            yield Observed(topic, component, resource, f"Observation.component[{place}]", when, code, by_text)


def absent(holder: Json) -> bool:
    """Return whether an element says that its value is absent."""
    return bool(record(holder.get("dataAbsentReason")))


def components(resource: Resource) -> list[tuple[str, Concept, Json, str]]:
    """Return the components of an observation: the code's part of a variant, the code, the component, its path."""
    found: list[tuple[str, Concept, Json, str]] = []
    for place, component in enumerate(records(resource.body.get("component"))):
        code = concept(component.get("code"))
        found.append((part_of(code), code, component, f"Observation.component[{place}]"))
    return found


@lru_cache(maxsize=4096)
def part_of(code: Concept) -> str:
    """Return which part of a variant a component is, by its code; "" when it is none that is read."""
    return next((part for one in code.codings if (part := codes.part(one.system, one.code))), "")
