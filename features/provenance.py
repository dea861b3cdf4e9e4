"""Where a cohort comes from: source, licence, assay, endpoint, and whether its cases are real."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, get_args

from features.cohort_refusals import InvalidProvenance
from features.errors import seen_text
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

from typing import Literal

Endpoint = Literal["orr", "dcb", "shrinkage30", "pcr"]
"""``orr`` RECIST 1.1 CR or PR; ``dcb`` no progression for 6 months; ``shrinkage30``; ``pcr``. Never pooled."""

ENDPOINT_TITLES: dict[str, str] = {
    "orr": "objective response",
    "dcb": "durable clinical benefit",
    "shrinkage30": "shrinkage by 30% or more",
    "pcr": "pathological complete response",
}
"""Endpoints as people read them."""

Denominator = Literal["itt", "evaluable", "unknown"]
"""Whom the outcomes were recorded for: all who started, those with a scan after baseline, or not said."""


@dataclass(frozen=True)
class Provenance:
    """What must be known about a cohort before anything is fitted on it.

    Attributes
    ----------
    cohort_id
        The name that experiment files use; also the folder.
    endpoint
        None only when no case has an outcome (a control arm with survival alone).
    trial_family
        As in ``published_arms.csv``: the arms of the same trial are removed from the evidence when this cohort
        trains or is scored.
    published_cohort
        Value of the ``cohort`` column in ``published_arms.csv`` where arms hold the same patients.
    seed
        Of a synthetic cohort.

    Examples
    --------
    >>> Provenance("demo", endpoint="orr").denominator
    'unknown'
    """

    cohort_id: str
    title: str = ""
    source: str = ""
    url: str = ""
    licence: str = ""
    assay: str = ""
    endpoint: Endpoint | None = None
    denominator: Denominator = "unknown"
    synthetic: bool = False
    trial_family: str | None = None
    published_cohort: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.cohort_id or "/" in self.cohort_id:
            raise InvalidProvenance(
                f"{seen_text(self.cohort_id)} cannot name a cohort and its folder",
                field="cohort_id",
                record="provenance",
            )
        _check_one_of("endpoint", self.endpoint, (*get_args(Endpoint), None))
        _check_one_of("denominator", self.denominator, get_args(Denominator))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Provenance:
        """Read a provenance; unknown and missing keys are refused.

        Raises
        ------
        InvalidProvenance
            Naming the key and the nearest valid one.
        """
        known = [field.name for field in fields(cls)]
        for key in raw:
            if key not in known:
                close = nearest(key, known)
                raise InvalidProvenance("is not a field", field=key, record="provenance", allowed=close or known)
        if "cohort_id" not in raw:
            raise InvalidProvenance("is required", field="cohort_id", record="provenance", way_out="Give a value.")
        return cls(**raw)


def _check_one_of(field: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        shown = ["null" if choice is None else choice for choice in allowed]
        raise InvalidProvenance(
            f"{seen_text(value)} is not a value of this field", field=field, record="provenance", allowed=shown
        )
