"""May a model be promoted? The protocol's rule on the development resampling, every check with its number in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.config import GateSettings

Verdict = Literal["passed", "failed", "insufficient"]


@dataclass(frozen=True)
class Check:
    """One rule: what was asked, what was found, whether it holds."""

    rule: str
    found: str
    holds: bool


@dataclass(frozen=True)
class GateVerdict:
    """The verdict of the gate with every check; ``insufficient`` is too few events to tell."""

    verdict: Verdict
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        """The rules that do not hold, in words."""
        return [f"{check.rule}: {check.found}" for check in self.checks if not check.holds]


def decide(rows: Sequence[Mapping[str, Any]], gate: GateSettings) -> GateVerdict:
    """Apply the rule to the rows of a run's ``evaluation.json``.

    Parameters
    ----------
    rows
        As :meth:`training.judged.Row.to_dict` wrote them.
    gate
        The bounds.

    Returns
    -------
    GateVerdict
        ``failed`` as soon as one check of one development cohort does not hold; without resampled rows nothing holds.
    """
    ours = [row for row in rows if row["predictor"] == "model" and row["scene"] in ("resampled", "left family out")]
    if not ours:
        missing = Check("development resampling", "there is none; train with resampling.repeats of at least 1", False)
        return GateVerdict("failed", (missing,))
    events = sum(int(row["events"]) for row in ours)
    if events < gate.events:
        return GateVerdict("insufficient", (Check(f"at least {gate.events} events", f"{events} events", False),))
    checks = [check for row in ours for check in _checks(row, gate)]
    return GateVerdict("passed" if all(check.holds for check in checks) else "failed", tuple(checks))


def _checks(row: Mapping[str, Any], gate: GateSettings) -> list[Check]:
    where, metrics = row["cohort"], row["metrics"]
    slope, citl = metrics.get("slope", {}), metrics.get("citl", {})
    return [
        _within(f"{where}: calibration slope in {_span(gate.slope)}", slope.get("value"), gate.slope),
        _inside(f"{where}: interval of the slope inside {_span(gate.slope_interval)}", slope, gate.slope_interval),
        _within(f"{where}: |CITL| at most {gate.citl:g}", citl.get("value"), (-gate.citl, gate.citl)),
        _above_zero(f"{where}: Brier skill over the histology (or class) base rate, interval above 0", metrics),
        _few_abstained(where, row, gate),
    ]


def _span(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:g} to {bounds[1]:g}"


def _within(rule: str, value: float | None, bounds: Sequence[float]) -> Check:
    if value is None:
        return Check(rule, "undefined", False)
    return Check(rule, f"{value:.3f}", bounds[0] <= value <= bounds[1])


def _inside(rule: str, estimate: Mapping[str, Any], bounds: Sequence[float]) -> Check:
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return Check(rule, "undefined", False)
    return Check(rule, f"{low:.3f} to {high:.3f}", bounds[0] <= low and high <= bounds[1])


def _above_zero(rule: str, metrics: Mapping[str, Any]) -> Check:
    skill = metrics.get("skill_over_reference")
    if skill is None or skill["low"] is None:
        return Check(rule, "not compared: put histology_base_rate among the comparators", False)
    return Check(rule, f"{skill['value']:.3f} ({skill['low']:.3f} to {skill['high']:.3f})", skill["low"] > 0)


def _few_abstained(where: str, row: Mapping[str, Any], gate: GateSettings) -> Check:
    share = row["abstained"] / row["n"] if row["n"] else 1.0
    return Check(f"{where}: at most {gate.abstained:.0%} abstained", f"{share:.1%}", share <= gate.abstained)
