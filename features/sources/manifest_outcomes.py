"""Outcomes of a manifest: the estimand is response among patients who start the therapy.

NE counts as no response where the source records it, with the reason kept, so that both ways can be printed. A blank
outcome without a reason is left out and counted; a source without any outcome column keeps its cases.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from features.cohort import BEST_RESPONSES, Outcome
from features.sources.manifest_columns import read_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.sources.build_report import BuildReport
    from features.sources.manifest_schema import FieldRule, OutcomeRule
    from features.sources.source_table import SourceTable

BLANK = "outcome is blank, without a reason"
NOT_READ = "outcome is no response category that can be read"


def read_outcomes(rule: OutcomeRule, table: SourceTable, report: BuildReport, used: set[str]) -> list[Outcome | None]:
    """Return one outcome per row; None for a row that is left out because its outcome is blank.

    Parameters
    ----------
    used
        Names of the columns that were read are added to it.
    """
    survival = _survival(rule, table, report, used)
    best, best_raw = _column("outcome.best_response", rule.best_response, table, report, used)
    response, response_raw = _column("outcome.objective_response", rule.objective_response, table, report, used)
    if best_raw is None and response_raw is None:
        report.notes.append("no outcome column: the cases are kept without outcomes")
        return [Outcome(None, survival_months=months, died=died) for months, died in survival]
    found: list[Outcome | None] = []
    for row in range(len(table)):
        raw = best_raw[row] if best_raw is not None and best_raw[row] is not None else None
        raw = response_raw[row] if raw is None and response_raw is not None else raw
        outcome = _outcome(best[row], response[row], rule.reasons.get("" if raw is None else raw))
        found.append(outcome)
        report.outcomes[_named(outcome, raw)] += 1
        if outcome is None:
            report.leave_out(BLANK if raw is None else NOT_READ, [table.numbers[row]])
    return [
        None if one is None else replace(one, survival_months=months, died=died)
        for one, (months, died) in zip(found, survival, strict=True)
    ]


def _survival(
    rule: OutcomeRule, table: SourceTable, report: BuildReport, used: set[str]
) -> list[tuple[float | None, int | None]]:
    """Return months and death per row; both unknown where one of them is."""
    if rule.survival is None:
        return [(None, None)] * len(table)
    months, _ = _column("outcome.survival.months", rule.survival.months, table, report, used, _months)
    died, _ = _column("outcome.survival.died", rule.survival.died, table, report, used, _zero_or_one)
    return [(None, None) if None in pair else pair for pair in zip(months, died, strict=True)]


def _column(
    name: str,
    rule: FieldRule | None,
    table: SourceTable,
    report: BuildReport,
    used: set[str],
    check: Callable[[Any], Any] | None = None,
) -> tuple[list[Any], list[str | None] | None]:
    """Return values and source texts of an outcome column; an outcome may of course be dated after the index."""
    column = None if rule is None else next((name for name in rule.column if name in table.columns), None)
    if rule is None or column is None:
        if rule is not None and not rule.optional:
            table.column(rule.column[0])
        return [None] * len(table), None
    used.add(column)
    if check is None:
        check = _best if name.endswith("best_response") else _zero_or_one
    return read_column(name, rule, column, table, report, check), table.column(column)


def _best(value: Any) -> str:
    if value not in BEST_RESPONSES:
        raise ValueError(f"{value!r} is none of {', '.join(BEST_RESPONSES)}")
    return str(value)


def _zero_or_one(value: Any) -> int:
    number = float(value)
    if number not in (0.0, 1.0):
        raise ValueError(f"{value!r} is neither 0 nor 1")
    return int(number)


def _months(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is no time after the index date")
    return number


def _outcome(best: str | None, response: int | None, reason: str | None) -> Outcome | None:
    """Put best response and 0/1 together: CR and PR respond, SD, PD and NE do not."""
    if response is None and best is not None:
        response = int(best in ("CR", "PR"))
    if response is None and reason is None:
        return None
    return Outcome(response, best, reason)


def _named(outcome: Outcome | None, raw: str | None) -> str:
    if outcome is None:
        return "blank" if raw is None else "not read"
    told = {1: "response", 0: "no response", None: "unknown"}[outcome.objective_response]
    return f"{outcome.best_response} ({told})" if outcome.best_response else told
