"""May a model be promoted? The protocol's rule on the development resampling, every check with its number in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from experiments.gate_pooling import pooled_limit, pooled_row
from features.errors import listed

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


LARGEST_GAP = 1e-9
"""Log-odds that base + contributions may differ from the estimate (design/protocol.md)."""

COVERAGE = (0.80, 0.98)
"""Share of arms that 90% predictive intervals must hold (design/protocol.md)."""

LEFT_OUT = "left family out"
"""Scene of a family fitted on published arms: no patients, so nothing to permute among them."""


def decide(
    rows: Sequence[Mapping[str, Any]], gate: GateSettings, checks: Mapping[str, Any] | None = None
) -> GateVerdict:
    """Apply the rule to the rows of a run's ``evaluation.json``.

    Parameters
    ----------
    rows
        As :meth:`training.judged.Row.to_dict` wrote them.
    gate
        The bounds.
    checks
        As :func:`experiments.checks.checks_of` found them; None leaves contributions, refit and permutations unasked.

    Returns
    -------
    GateVerdict
        ``failed`` as soon as one check does not hold; without resampled rows nothing holds. Several development
        cohorts are judged as one, see :mod:`experiments.gate_pooling`.
    """
    ours = [row for row in rows if row["predictor"] == "model" and row["scene"] in ("resampled", LEFT_OUT)]
    if not ours:
        missing = Check("development resampling", "there is none; train with resampling.repeats of at least 1", False)
        return GateVerdict("failed", (missing,))
    events = sum(int(row["events"]) for row in ours)
    if events < gate.events:
        return GateVerdict("insufficient", (Check(f"at least {gate.events} events", f"{events} events", False),))
    found = _checks(pooled_row(ours), gate)
    if checks is not None:
        found += [_adds_up(checks), *_same_bytes(checks, ours), *_beyond_chance(checks, ours), *_of_arms(checks, ours)]
    return GateVerdict("passed" if all(check.holds for check in found) else "failed", tuple(found))


def _adds_up(checks: Mapping[str, Any]) -> Check:
    rule, gap = f"base and contributions add up to the estimate within {LARGEST_GAP:g}", checks.get("largest_gap")
    if gap is None:
        return Check(rule, "not checked; train again with this version", False)
    return Check(rule, f"largest gap {gap:.1e}", gap <= LARGEST_GAP)


def _same_bytes(checks: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    rule, differing = "a second fit on the same cases gives the same bytes", checks.get("refit_differs")
    if differing is None and all(row["scene"] == LEFT_OUT for row in rows):
        return []
    if differing is None:
        return [Check(rule, "not checked; train again with this version", False)]
    return [Check(rule, f"{listed(differing)} differ" if differing else "the same", not differing)]


def _beyond_chance(checks: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    patients = [row for row in rows if row["scene"] != LEFT_OUT]
    limits = {row["cohort"]: row.get("limit") for row in checks.get("permutations") or ()}
    return [_beyond(pooled_row(patients), pooled_limit(patients, limits))] if patients else []


def _of_arms(checks: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return what is asked of a family fitted on arms: coverage of new trials, and an error below the class average."""
    if any(row["scene"] != LEFT_OUT for row in rows):
        return []
    holds = f"90% predictive intervals hold {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%} of the arms"
    below = "error of the rate less that of the class average, interval over trial families below 0"
    found = checks.get("left_family_out")
    if found is None:
        return [Check(rule, "not checked; train again with this version", False) for rule in (holds, below)]
    coverage, less = found["coverage_90"], found["less_than_class_average"]
    return [
        Check(holds, f"{coverage:.1%}", COVERAGE[0] <= coverage <= COVERAGE[1]),
        Check(below, f"{less['value']:.3f} ({less['low']:.3f} to {less['high']:.3f})", less["high"] < 0),
    ]


def _beyond(row: Mapping[str, Any], limit: float | None) -> Check:
    rule = f"{row['cohort']}: AUROC within histology above the 95th percentile of permuted outcomes"
    value = row["metrics"].get("auroc_within_histology", {}).get("value")
    if limit is None or value is None:
        return Check(rule, "not tried; train with --set evaluation.also=[permutations]", False)
    return Check(rule, f"{value:.3f} against {limit:.3f}", value > limit)


def _checks(row: Mapping[str, Any], gate: GateSettings) -> list[Check]:
    where, metrics = row["cohort"], row["metrics"]
    slope, citl = metrics.get("slope", {}), metrics.get("citl", {})
    return [
        _slope(f"{where}: calibration slope in {_span(gate.slope)}", slope.get("value"), gate.slope),
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


def _slope(rule: str, value: float | None, bounds: Sequence[float]) -> Check:
    found = _within(rule, value, bounds)
    if value is None or found.holds:
        return found
    words = (
        "overconfident: its high estimates are too high, its low ones too low"
        if value < bounds[0]
        else "too cautious: its estimates lie too close to the average"
    )
    return Check(rule, f"{found.found} ({words})", False)


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
