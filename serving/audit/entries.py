"""What callers hand to the log: predictions, and what people later say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, to_json

from features.case import Case, Record
from features.case_refusals import refusals_of
from features.errors import InvalidCase
from features.field_types import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

FreeText = Annotated[str | None, Field(max_length=2000, description="Encrypted, and never in bulk exports")]

OverrideReason = Literal[
    "patient_preference",
    "comorbidity",
    "contraindication",
    "interaction",
    "guideline",
    "tumour_board",
    "trial",
    "access",
    "estimate_implausible",
    "input_wrong",
    "outside_intended_population",
    "other",
]

ReviewReason = Literal[
    "implausible_estimate", "implausible_explanation", "evidence_missing", "input_wrong", "should_abstain", "other"
]


class Outcome(Record):
    """The response that was observed after a prediction; ``objective_response`` follows from ``best_response``."""

    best_response: Response | None = None
    objective_response: bool | None = None
    assessed_days_after_index: Annotated[int | None, Field(ge=0, le=20_000)] = None
    note: FreeText = None

    @model_validator(mode="after")
    def _says_something_once(self) -> Self:
        if self.best_response is None and self.objective_response is None:
            raise PydanticCustomError("contradiction", "give `best_response`, `objective_response` or both")
        implied = {"CR": True, "PR": True, "SD": False, "PD": False, "NE": False}.get(self.best_response or "")
        if implied is not None and self.objective_response not in (None, implied):
            raise PydanticCustomError("contradiction", "`best_response` and `objective_response` disagree")
        return self

    @property
    def responded(self) -> bool | None:
        """Whether the response was objective: CR or PR against SD, PD and not evaluable, as in training."""
        if self.objective_response is not None:
            return self.objective_response
        return {"CR": True, "PR": True, "SD": False, "PD": False, "NE": False}.get(self.best_response or "")


class Decision(Record):
    """What was done with an answer: its therapy taken, or overridden with a coded reason."""

    decision: Literal["taken", "overridden"]
    reason: OverrideReason | None = None
    note: FreeText = None

    @model_validator(mode="after")
    def _an_override_has_a_reason(self) -> Self:
        if (self.decision == "overridden") != (self.reason is not None):
            raise PydanticCustomError("contradiction", "`reason` is given when, and only when, an answer is overridden")
        return self


class Review(Record):
    """What an auditor found when looking at a prediction: agreement, a question, or a rejection with its reason."""

    finding: Literal["agree", "query", "reject"]
    reason: ReviewReason | None = None
    note: FreeText = None

    @model_validator(mode="after")
    def _a_rejection_has_a_reason(self) -> Self:
        if self.finding == "reject" and self.reason is None:
            raise PydanticCustomError("contradiction", "a rejection has a `reason`")
        if self.finding == "agree" and self.reason is not None:
            raise PydanticCustomError("contradiction", "an agreement has no `reason`")
        return self


class Feedback(Record):
    """What a clinical system tells of a card that showed a prediction (CDS Hooks feedback)."""

    outcome: Literal["accepted", "overridden"]
    card: Annotated[str, Field(max_length=80)]
    reason: Annotated[str | None, Field(max_length=80, pattern=r"^[a-z0-9_-]+$", description="Our own code")] = None
    outcome_time: Annotated[str | None, Field(max_length=40)] = None
    note: FreeText = None


Event = Outcome | Decision | Review | Feedback
EVENTS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in get_args(Event)}
"""Kind of record to what it holds."""


def read_event(kind: str, raw: Mapping[str, Any]) -> Event:
    """Read an outcome, decision, review or feedback from its JSON object.

    Raises
    ------
    InvalidCase
        With one refusal per field that is wrong.

    Examples
    --------
    >>> read_event("decision", {"decision": "overridden", "reason": "comorbidity"}).reason
    'comorbidity'
    """
    try:
        return EVENTS[kind].model_validate(raw)
    except ValidationError as error:
        raise InvalidCase(refusals_of(error, EVENTS[kind])) from None


@dataclass(frozen=True)
class Once:
    """An Idempotency-Key: the same key of the same caller gives the same answer and one row.

    Attributes
    ----------
    key, caller
        As the request gave them.
    request_digest
        SHA-256 of the request as it came, hexadecimal; a repeated key with another digest is refused.
    """

    key: str
    caller: str
    request_digest: str


IDS = ("prediction_id", "case_id")
"""What stands first in an answer; the rest is the same wherever it is written."""


@dataclass(frozen=True)
class PredictionEntry:
    """One answer that is about to be sent.

    Attributes
    ----------
    case
        As it was read; its ids become pseudonyms before anything else happens to it.
    answer
        From :func:`models.answer.answer_of`, its ``prediction_id`` given.
    family
        Family of the model that answered.
    caller
        Who asked: the name of a key or the subject of a token, never a person's name.
    latency_ms
        From the request's arrival to this entry, milliseconds.
    features
        Column of the feature table to number, None where unknown.
    place
        Which case or therapy of the request, from 0.
    shadow_of
        For a challenger's answer: the id of the prediction that was served.
    listed_in
        For an answer that a ranking lists: the id of the ranking.
    route
        Pattern of the address that was asked, such as ``/predict``.
    """

    case: Case
    answer: Mapping[str, Any]
    family: str
    caller: str
    latency_ms: float
    features: Mapping[str, float | None] = field(default_factory=dict)
    place: int = 0
    shadow_of: str | None = None
    listed_in: str | None = None
    route: str | None = None

    @cached_property
    def _rest(self) -> bytes:
        return to_json({name: value for name, value in self.answer.items() if name not in IDS})

    def text(self, case_id: str | None) -> bytes:
        """Return the answer as JSON under an id of the case: its own as it is sent, its pseudonym as it is logged."""
        return to_json({"prediction_id": self.answer["prediction_id"], "case_id": case_id})[:-1] + b"," + self._rest[1:]


@dataclass(frozen=True)
class RankingEntry:
    """One ranking that is about to be sent.

    Attributes
    ----------
    ranking_id
        Which its listed answers name as ``listed_in``.
    case
        The case, with any of the ranked therapies.
    ranking
        The answer of :func:`serving.rank.rank`, with the id of each listed answer in the place of the answer.
    """

    ranking_id: str
    case: Case
    ranking: Mapping[str, Any]
    caller: str
    latency_ms: float
    route: str | None = None


@dataclass(frozen=True)
class AuditId:
    """Where a record stands: its id, and its number in the chain (from 1)."""

    record_id: str
    seq: int
