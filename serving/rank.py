"""Ranking: every therapy that the served models can judge for one case, side by side. Never a directive.

Order: within one endpoint by probability, highest first. A therapy whose interval overlaps that of the one above it
shares its rank, so a difference in rank is one that the intervals do not deny; along a chain of overlaps the first and
the last of a rank may not overlap each other. Different endpoints, and models trained on synthetic cases, are listed
apart and never ordered together. What is abstained stands last, with its reasons and without a rank.

All candidates (:mod:`serving.rank_candidates`) are scored, one batch per family; explanations are made only for those
that are returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from features.errors import Refusal, seen_text
from features.from_cases import batch_of
from features.regimens import regimen
from models.answer import answer_of, model_of
from models.answer_reasons import reasons_of
from models.intended_use import INTENDED_USE
from serving.body import cases_of
from serving.deadline import check_deadline
from serving.identifiers import new_id
from serving.predictor import JUDGED_BY, Scored
from serving.rank_batch import side_by_side
from serving.rank_candidates import judged, key_of, not_judged
from serving.rank_support import support_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.case import Case
    from models.response import ResponseModel
    from serving.predictor import Predictor

DEFAULT_LIMIT, MOST_LIMIT = 20, 200
"""Therapies listed per endpoint, and as many abstained ones; all are scored."""

MOST_FINDINGS = 500_000
"""Findings laid out at a time: a case with 20,000 alterations is scored for 25 therapies at a time."""

HOW = (
    "Ordered by the estimated probability of the endpoint. Therapies that share a rank have overlapping intervals. "
    "Toxicity, survival, availability and the patient's wishes are not estimated; a high number is no recommendation."
)


class LimitRefused(Refusal):
    """``limit`` is not a whole number in its range."""

    code: ClassVar[str] = "invalid_limit"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One therapy scored for the case; the numbers of an abstained one are never shown."""

    case: Case
    model: ResponseModel
    probability: float
    low: float
    high: float
    answered: bool

    @property
    def key(self) -> str:
        """Regimen key."""
        return key_of(self.case.therapy)

    @property
    def listed_with(self) -> tuple[str, bool]:
        """Endpoint and whether the model is synthetic: what is ordered together."""
        return str(self.model.card.get("endpoint")), bool(self.model.card.get("synthetic"))


def read_rank(raw: Mapping[str, Any], predictor: Predictor) -> tuple[list[Case], int]:
    """Return the case once per therapy to rank, and the limit.

    Parameters
    ----------
    raw
        A case without ``therapy``; ``therapies`` may name those to rank, ``limit`` how many are listed.

    Raises
    ------
    LimitRefused, TherapiesRefused, InvalidCase, NoModelForTherapy
        When it cannot be ranked; a therapy that the caller names and no model judges is refused, not left out.
    """
    limit = raw.get("limit", DEFAULT_LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_LIMIT:
        raise LimitRefused(
            f"a whole number from 1 to {MOST_LIMIT} is asked for, seen {seen_text(limit)}", field="limit"
        )
    rest = {key: value for key, value in raw.items() if key != "limit"}
    if "therapy" in rest or "therapies" in rest:
        cases, several = cases_of(rest)
        if several:
            predictor.refuse_unjudged(cases)
        predictor.model_for(cases[0])
        return cases, limit
    therapies = judged(predictor.by_family, JUDGED_BY)
    [case], _ = cases_of({**rest, "therapies": [therapies[0].model_dump(by_alias=True, exclude_none=True)]})
    return [case.model_copy(update={"therapy": therapy}) for therapy in therapies], limit


@dataclass(frozen=True)
class Ranking:
    """A ranking, and the answers that it lists, in their order.

    Attributes
    ----------
    document
        JSON-ready; see :func:`rank`.
    case
        With the first of the ranked therapies.
    listed
        Case and answer of every listed therapy.
    """

    document: dict[str, Any]
    case: Case
    listed: list[tuple[Case, Scored]]


def rank(raw: Mapping[str, Any], predictor: Predictor) -> dict[str, Any]:
    """Return the ranking of one request, JSON-ready; see :func:`read_rank` for what it holds.

    ``lists`` has one entry per endpoint, ``abstained`` those without a number, ``not_judged`` the classes of therapy
    that no served model estimates. Every listed therapy holds a full ``answer`` with a prediction id of its own, as
    /predict would give it, and what :func:`serving.rank_support.support_of` says.
    """
    return ranking_of(raw, predictor).document


def ranking_of(raw: Mapping[str, Any], predictor: Predictor) -> Ranking:
    """Return the ranking of one request with its answers; see :func:`rank`."""
    cases, limit = read_rank(raw, predictor)
    scored = [one for model, of_model in _by_model(cases, predictor) for one in _scored(model, of_model)]
    answered = sorted((one for one in scored if one.answered), key=lambda one: (-one.probability, one.key))
    abstained = sorted((one for one in scored if not one.answered), key=lambda one: one.key)
    apart = sorted({one.listed_with for one in answered})
    listed: list[tuple[Case, Scored]] = []
    document = {
        "case_id": cases[0].case_id,
        "how": HOW,
        "lists": [_list(one, [c for c in answered if c.listed_with == one], limit, listed) for one in apart],
        "abstained": {"total": len(abstained), "therapies": _abstained(abstained[:limit])},
        "not_judged": not_judged(predictor.by_family, JUDGED_BY),
        "intended_use": INTENDED_USE,
    }
    return Ranking(document, cases[0], listed)


def ranks_of(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """Return the rank of each interval, (low, high), given in the order of the list: 1, 1, 3 ...

    Examples
    --------
    >>> ranks_of([(0.5, 0.7), (0.4, 0.55), (0.1, 0.2)])
    [1, 1, 3]
    >>> ranks_of([])
    []
    """
    found: list[int] = []
    for place, (_, high) in enumerate(intervals):
        shares = place > 0 and high >= intervals[place - 1][0]
        found.append(found[-1] if shares else place + 1)
    return found


def _by_model(cases: Sequence[Case], predictor: Predictor) -> Iterator[tuple[ResponseModel, list[Case]]]:
    by_family: dict[str, list[Case]] = {}
    for case in cases:
        by_family.setdefault(predictor.model_for(case).family, []).append(case)
    for family, of_family in by_family.items():
        yield predictor.by_family[family], of_family


def _scored(model: ResponseModel, cases: Sequence[Case]) -> Iterator[Candidate]:
    one = batch_of(cases[:1])
    block = max(1, MOST_FINDINGS // (len(one.findings.codes) + len(one.other_findings.codes) + 1))
    for start in range(0, len(cases), block):
        check_deadline()
        part = cases[start : start + block]
        answers = model.answers(side_by_side(one, [key_of(case.therapy) for case in part]))
        scores = answers.scores
        columns = (scores.probability, scores.low, scores.high, answers.answered)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        yield from (Candidate(case, model, *found) for case, found in zip(part, numbers, strict=True))


def _list(
    where: tuple[str, bool], ordered: Sequence[Candidate], limit: int, listed: list[tuple[Case, Scored]]
) -> dict[str, Any]:
    endpoint, synthetic = where
    ranks = ranks_of([(one.low, one.high) for one in ordered])
    shown = [_entry(one, listed) for one in ordered[:limit]]
    for place, entry in enumerate(shown):
        shared = ranks.count(ranks[place]) > 1
        entry.update(
            rank=ranks[place], shares_rank=shared, overlaps_above=place > 0 and ranks[place] == ranks[place - 1]
        )
    return {"endpoint": endpoint, "synthetic": synthetic, "total": len(ordered), "therapies": shown}


def _entry(one: Candidate, listed: list[tuple[Case, Scored]]) -> dict[str, Any]:
    """Return one listed therapy, explained in full; laid out by itself, as /predict would."""
    check_deadline()
    answers = one.model.answers(batch_of([one.case]))
    answer = answer_of(answers, 0, new_id())
    listed.append((one.case, Scored(answer, one.model.family, answers, 0)))
    return {**_named(one), **support_of(answers, 0), "answer": answer}


def _named(one: Candidate) -> dict[str, Any]:
    therapy = one.case.therapy.model_dump(by_alias=True, exclude_none=True, mode="json")
    return {"therapy": therapy, "therapy_class": regimen(one.key).therapy_class}


def _abstained(chosen: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return the abstained therapies with the reasons; without a number there is nothing to explain."""
    found: dict[str, dict[str, Any]] = {}
    for family in dict.fromkeys(one.model.family for one in chosen):
        of_family = [one for one in chosen if one.model.family == family]
        model = of_family[0].model
        answers = model.answers(side_by_side(batch_of([of_family[0].case]), [one.key for one in of_family]))
        for row, one in enumerate(of_family):
            reasons = [reason.to_dict() for reason in reasons_of(answers, row)]
            found[one.key] = {**_named(one), "reasons": reasons, "model": model_of(model)}
    return [found[one.key] for one in chosen]
