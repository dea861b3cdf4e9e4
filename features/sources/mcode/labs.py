"""Blood values and vital signs: albumin, haemoglobin, platelets, neutrophils over lymphocytes, LDH over its limit, BMI.

Neutrophils and lymphocytes are divided only when they are of one draw. LDH needs the upper limit of its own laboratory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.sources.mcode.measured import measured, offer_measured, refuse, upper_limit

if TYPE_CHECKING:
    from collections.abc import Set

    from features.sources.mcode.context import Context
    from features.sources.mcode.observations import Observed
    from features.sources.mcode.when import When

LAB_FIELDS = frozenset(
    {
        "patient.albumin_g_per_dl",
        "patient.hemoglobin_g_per_dl",
        "patient.platelets_per_nl",
        "patient.nlr",
        "patient.ldh_ratio_to_upper_limit",
    }
)
"""Fields that count only within the window of :data:`choosing.LAB_WINDOW_DAYS`; ECOG does too."""

NLR = "patient.nlr"


def read_labs(context: Context) -> None:
    """Offer the blood values and the body mass index."""
    offer_measured(context, "albumin", "patient.albumin_g_per_dl", "albumin")
    offer_measured(context, "hemoglobin", "patient.hemoglobin_g_per_dl", "hemoglobin")
    offer_measured(context, "platelets", "patient.platelets_per_nl", "cells")
    offer_measured(context, "bmi", "patient.bmi_kg_per_m2", "bmi")
    _ldh(context)
    _ratio(context)


def _ldh(context: Context) -> None:
    name = "patient.ldh_ratio_to_upper_limit"
    for one in context.observed.get("ldh", ()):
        found = measured(one, "enzyme")
        if found.problem or found.value is None:
            refuse(context, name, one, found)
            continue
        limit = upper_limit(one.holder, "enzyme")
        if limit is None:
            context.not_used("ldh_without_limit", name, one, "LDH without the one upper limit of its laboratory")
        else:
            context.offer_observed(
                name, float(f"{found.value / limit:.6g}"), one, f"{found.seen} over its upper limit {limit:g} U/L"
            )


def _ratio(context: Context) -> None:
    """Divide neutrophils by lymphocytes of one draw; percents only where the draw has no counts."""
    counted = _by_draw(context, "neutrophils", "cells"), _by_draw(context, "lymphocytes", "cells")
    percents = (
        _by_draw(context, "neutrophils_percent", "percent"),
        _by_draw(context, "lymphocytes_percent", "percent"),
    )
    used = _offer_ratios(context, *counted, frozenset())
    used |= _offer_ratios(context, *percents, used)
    for draws in (*counted, *percents):
        for draw, found in draws.items():
            for one, _ in found if draw not in used else ():
                context.notes.left(
                    one.resource,
                    one.path,
                    "neutrophils or lymphocytes without the other of the same draw",
                    one.code.shown,
                )


def _by_draw(context: Context, topic: str, dimension: str) -> dict[When | None, list[tuple[Observed, float]]]:
    found: dict[When | None, list[tuple[Observed, float]]] = {}
    for one in context.observed.get(topic, ()):
        value = measured(one, dimension)
        if value.problem or value.value is None:
            refuse(context, NLR, one, value)
        else:
            found.setdefault(one.when, []).append((one, value.value))
    return found


def _offer_ratios(
    context: Context,
    above: dict[When | None, list[tuple[Observed, float]]],
    below: dict[When | None, list[tuple[Observed, float]]],
    done: Set[When | None],
) -> set[When | None]:
    used: set[When | None] = set()
    for draw in above.keys() & below.keys() - done:
        for one, neutrophils in above[draw]:
            for other, lymphocytes in below[draw]:
                if lymphocytes > 0:
                    used.add(draw)
                    ratio = float(f"{neutrophils / lymphocytes:.6g}")
                    note = f"{neutrophils:g} over {lymphocytes:g} of {other.resource.reference}"
                    context.offer_observed(NLR, ratio, one, note)
    return used
