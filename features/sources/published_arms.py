"""Published trial arms: the rows of ``vocabularies/published_arms.csv``, each said as the cases it consists of.

An arm is described like a patient (histology, alterations, lines, therapy), so arms and patients are read by the same
code. Where the report leaves several readings (``BRAF V600E/K``, ``FGFR1-3 alteration``) the arm is a *mixture* of
cases whose weights add up to one. Two things are legal for an arm and never for a case: a basket histology (MIXED)
and a basket of therapies (matched phase 1 therapy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, ValidationError

from features import histology
from features.case import Case, Regimen
from features.case_refusals import refusals_of
from features.errors import InvalidCase, Refusal
from features.field_types import Resolved
from features.flat import FLAT_FIELDS, nest
from features.regimens import CLASS_PREFIX
from features.therapy_classes import resolve_class_for_arm
from features.vocabulary import cell_list, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Role = Literal["arm", "overlaps", "class_level", "control"]
EndpointGroup = Literal["recist_confirmed", "recist", "other", "not_recist"]

CO_OCCURS = " & "
"""Between findings of one reading of an arm; readings are separated by ``|``."""

_KINDS = ("mutation", "amplification", "deletion", "fusion", "expression")
_LINES: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "0": {"prior_systemic_therapy": False, "prior_lines": 0},
    "1": {"prior_systemic_therapy": True, "prior_lines": 1},
    "1+": {"prior_systemic_therapy": True},
    "2+": {"prior_systemic_therapy": True, "prior_lines": 2},
}
"""Prior lines of an arm as a case has them; "one or more" is prior therapy of unknown number, "two or more" is two,
the least it can be."""


class UnreadableArm(Refusal):
    """A row of the arms whose notation cannot be read as cases."""

    code = "unreadable_arm"


class ArmRegimen(Regimen):
    """The therapy of an arm: as of a case, and baskets of unlike drugs are legal."""

    regimen_class: Annotated[
        str | None, Resolved(resolve_class_for_arm, "Class of a regimen; baskets are legal for an arm")
    ] = Field(default=None, alias="class")


class ArmCase(Case):
    """One reading of an arm as a case; basket histologies are legal."""

    histology: Annotated[str, Resolved(histology.resolve_for_arm, "OncoTree code; MIXED and other baskets are legal")]
    therapy: ArmRegimen


@dataclass(frozen=True)
class Arm:
    """One published arm: the printed facts, and the cases it stands for.

    Attributes
    ----------
    responders, treated
        None when not printed; such an arm informs orderings only.
    orr_percent
        As printed, percent.
    readings
        Weight and case of every reading; weights add up to one.
    overlap_group, overlap_patients
        Arms of one group share patients; the group has so many distinct patients. None when the arm stands alone.
    """

    arm_id: str
    role: Role
    family: Literal["checkpoint", "targeted"]
    printed: Mapping[str, str]
    treated: int | None
    responders: int | None
    orr_percent: float | None
    endpoint_group: EndpointGroup
    denominator: str
    trial: str
    trial_family: str
    cohort: str
    year: int | None
    source: str
    n_unchecked: bool
    note: str
    readings: tuple[tuple[float, ArmCase], ...]
    overlap_group: str
    overlap_patients: int | None

    @property
    def fits(self) -> bool:
        """Whether the arm may be fitted: counted by RECIST or nearly so, not a part of another arm, not a control."""
        counted = self.treated is not None and self.treated > 0 and self.responders is not None
        return counted and self.role in ("arm", "class_level") and self.endpoint_group != "not_recist"

    @property
    def judged(self) -> bool:
        """Whether leave-one-family-out judges on it: role ``arm``, ten patients or more, an endpoint that is fitted."""
        return self.fits and self.role == "arm" and (self.treated or 0) >= LEAST_JUDGED

    @property
    def title(self) -> str:
        """Return the arm in words: trial, agents, biomarker and histology as printed."""
        shown = self.printed
        marker = "" if shown["biomarker"] == "none" else f", {shown['biomarker']}"
        return f"{self.trial}: {shown['agents']}{marker}, {shown['histology']} ({shown['line']})"


LEAST_JUDGED = 10
"""Patients an arm needs to be judged on (issue 4); smaller arms are fitted."""


@lru_cache(maxsize=1)
def arms() -> tuple[Arm, ...]:
    """Return all published arms in file order.

    Raises
    ------
    UnreadableArm, InvalidCase
        When a row cannot be read as cases; the text names the arm.

    Examples
    --------
    >>> by_id = {arm.arm_id: arm for arm in arms()}
    >>> by_id["beacon_doublet"].readings[0][1].therapy.agents
    ('encorafenib', 'cetuximab')
    """
    return tuple(map(_arm, table("published_arms")))


def _arm(row: Mapping[str, str]) -> Arm:
    return Arm(
        arm_id=row["arm_id"],
        role=cast("Role", row["role"]),
        family=cast("Literal['checkpoint', 'targeted']", row["therapy_class"]),
        printed={name: value for name, value in row.items() if not name.startswith("case_")},
        treated=int(row["n"]) if row["n"] else None,
        responders=int(row["responders"]) if row["responders"] else None,
        orr_percent=float(row["orr_pct"]) if row["orr_pct"] else None,
        endpoint_group=cast("EndpointGroup", row["endpoint_group"]),
        denominator=row["denominator"],
        trial=row["trial"],
        trial_family=row["trial_family"],
        cohort=row["cohort"],
        year=int(row["year"]) if row["year"] else None,
        source=row["source"],
        n_unchecked=row["n_unchecked"] == "yes",
        note=row["note"],
        readings=tuple(_readings(row)),
        overlap_group=row["overlap_group"],
        overlap_patients=int(row["overlap_patients"]) if row["overlap_patients"] else None,
    )


def _readings(row: Mapping[str, str]) -> Iterator[tuple[float, ArmCase]]:
    readings = [_weighted(text) for text in cell_list(row["case_alterations"])] or [(None, "")]
    stated = [weight for weight, _ in readings if weight is not None]
    if stated and (len(stated) < len(readings) or abs(sum(stated) - 1) > 1e-9):
        raise UnreadableArm(
            "weights of the readings do not add up to one", record=row["arm_id"], field="case_alterations"
        )
    for weight, text in readings:
        yield (1 / len(readings) if weight is None else weight), _case(row, text)


def _weighted(text: str) -> tuple[float | None, str]:
    first, _, rest = text.partition(" ")
    return (float(first), rest) if first.replace(".", "", 1).isdigit() else (None, text)


def _case(row: Mapping[str, str], findings: str) -> ArmCase:
    raw: dict[str, Any] = {
        "case_id": row["arm_id"],
        "histology": row["case_histology"],
        **_LINES[row["case_prior_lines"]],
    }
    raw["therapy"] = _regimen(row["case_therapy"])
    if findings:
        raw["alterations"] = [finding(part, row["arm_id"]) for part in findings.split(CO_OCCURS)]
    if row["case_prior_therapies"]:
        raw["prior_therapies"] = [_regimen(text) for text in cell_list(row["case_prior_therapies"])]
    raw.update(nest(dict(_field(text) for text in cell_list(row["case_fields"]))))
    try:
        return ArmCase.model_validate(raw)
    except ValidationError as error:
        raise InvalidCase(refusals_of(error, ArmCase), record=f"arm {row['arm_id']}") from None


def _regimen(text: str) -> dict[str, Any]:
    if text.startswith(CLASS_PREFIX):
        return {"class": text.removeprefix(CLASS_PREFIX)}
    return {"agents": text.split("+")}


_KIND_OF_FIELD = {flat.path: flat.kind for flat in FLAT_FIELDS}


def _field(text: str) -> tuple[str, Any]:
    path, _, value = text.partition("=")
    kind = _KIND_OF_FIELD[path]
    return path, float(value) if kind == "number" else int(value) if kind == "integer" else value


def finding(text: str, record: str = "") -> dict[str, Any]:
    """Read one finding of an arm: gene, then a kind or a protein change, then attributes.

    Parameters
    ----------
    text
        ``BRAF p.V600E``, ``ERBB2 expression 3+``, ``KIT mutation exon=11``, ``BRCA1 p.Q1756fs germline``,
        ``MET amplification copies=8``; ``no EGFR p.T790M`` is a tested negative.

    Examples
    --------
    >>> finding("no EGFR p.T790M")
    {'gene': 'EGFR', 'kind': 'mutation', 'protein_change': 'p.T790M', 'status': 'absent'}
    """
    words = text.split()
    absent = words[0] == "no"
    gene, what, *more = words[1:] if absent else words
    found: dict[str, Any] = {"gene": gene, "kind": what if what in _KINDS else "mutation"}
    if what.startswith("p."):
        found["protein_change"] = what
    elif what not in _KINDS:
        raise UnreadableArm(
            f"{what!r} is neither a kind of alteration nor a protein change", record=record, allowed=_KINDS
        )
    found.update(_attribute(word, record) for word in more)
    if absent:
        found["status"] = "absent"
    return found


def _attribute(word: str, record: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if equals:
        return name, {"exon": int, "copies": float, "partner": str}[name](value)
    if word in ("germline", "somatic"):
        return "origin", word
    if word in ("0", "1+", "2+", "3+", "low", "high", "positive", "negative"):
        return "level", word
    raise UnreadableArm(f"{word!r} is no attribute of a finding", record=record, field="case_alterations")
