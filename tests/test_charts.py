"""Charts: every drawing draws in every look, says nothing foreign unescaped, and its picture fits the reader."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # our own drawings are parsed, nothing from outside
from typing import Any

import numpy as np
import pytest

from serving.pages.bulk_asked import BulkAsked
from serving.pages.chart_look import DARK, LIGHT, Look
from serving.pages.charts import svg
from serving.pages.figures import Figure, safe_cell
from serving.pages.kept_views import KeptViews

HOSTILE = '<script>alert("1")</script>'
MONTHS = [f"2026-{month:02d}" for month in (8, 9, 10)]
GROUPS = ("tmb", "patient", HOSTILE)

DRAWN: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "bars": ([{"label": one, "value": 0.3} for one in GROUPS], {"x": "size"}),
    "two_bars": (
        [{"label": one, "version": version, "value": 0.2} for one in GROUPS for version in ("m/1", "m/2")],
        {"x": "size", "versions": ["m/1", "m/2"]},
    ),
    "beeswarm": (
        [{"feature": one, "phi": 0.1 * k, "offset": 0.1, "level": None if k == 2 else k / 5}
         for one in GROUPS for k in range(6)],
        {"x": "phi", "order": list(GROUPS)},
    ),
    "dependence": (
        [{"value": 1.5 * k, "phi": 0.1, "way": way} for k in range(4) for way in ("as declared", "against")],
        {"x": HOSTILE, "numeric": True},
    ),
    "drift": (
        [{"group": one, "month": month, "mean": 0.1, "low": 0.0, "high": 0.2} for one in GROUPS for month in MONTHS],
        {"order": list(GROUPS), "label": "slice(datum.label, 2)"},
    ),
    "heat": (
        [{"subgroup": HOSTILE, "group": one, "mean": 0.2, "text": "+0.20"} for one in GROUPS],
        {"largest": 0.4, "groups": list(GROUPS), "subgroups": [HOSTILE]},
    ),
    "reliability": ([{"predicted": 0.2, "observed": 0.3, "low": 0.1, "high": 0.5}], {"half": True}),
    "over_time": (
        [{"month": one, "value": 0.1, "low": -0.2, "high": 0.4} for one in MONTHS],
        {"x": "month", "y": "CITL", "right": 0.0},
    ),
    "forest": ([{"label": one, "value": 0.1, "low": -0.2, "high": 0.4} for one in GROUPS], {"x": "CITL", "right": 0.0}),
    "shares": (
        [{"month": month, "what": one, "n": 3, "rank": k} for month in MONTHS for k, one in enumerate(GROUPS)],
        {"x": "month", "y": "n", "order": list(GROUPS)},
    ),
}  # fmt: skip
LOOKS = [Look(dark, narrow) for dark in (False, True) for narrow in (False, True)]


@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_draws_in_every_look(name: str) -> None:
    rows, options = DRAWN[name]
    for look in (LOOKS[0], LOOKS[3]):
        drawn = svg(name, rows, look, options)
        root = ET.fromstring(drawn)  # noqa: S314  # drawn here
        assert float(root.attrib["width"]) <= look.width_of(options) * 1.05
        assert float(root.attrib["height"]) > 40
        assert "NaN" not in drawn
        assert "<script" not in drawn
        assert "style=" not in drawn, "the pages' policy allows no inline style"
        strangers = [one for one in re.findall(r'(?:href|src)="([^"]+)"', drawn) if not one.startswith("#")]
        assert strangers == []
        palette, other = (DARK, LIGHT) if look.dark else (LIGHT, DARK)
        assert palette["axis"] in drawn
        assert other["raises"] not in drawn


def test_reliability_shows_the_line_on_which_both_are_equal() -> None:
    rows, options = DRAWN["reliability"]
    assert 'stroke-dasharray="5,4"' in svg("reliability", rows, Look(), options)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# Protanopia and deuteranopia in linear RGB (Viénot, Brettel and Mollon, Color Res Appl 1999; 24:243).
BLIND = {
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_read_and_told_apart(palette: dict[str, str]) -> None:
    for name in ("ink", "axis"):
        assert contrast(palette[name], palette["surface"]) >= 4.5
    for name in ("raises", "lowers", "third", "fourth", "fifth", "unknown"):
        assert contrast(palette[name], palette["surface"]) >= 2.9
    rgb = {name: np.array([int(palette[name][at : at + 2], 16) / 255 for at in (1, 3, 5)]) for name in palette}
    for matrix in BLIND.values():
        seen = {name: matrix @ rgb[name] ** 2.2 for name in ("raises", "lowers")}
        assert np.abs(seen["raises"] - seen["lowers"]).max() > 0.15


def figure() -> Figure:
    numbers = [{"label": "=cmd()", "value#": -0.12345}, {"label": "tmb", "value#": None}]
    return Figure("sizes", "Sizes", "What they are.", (("label", "group"), ("value#", "size")), numbers, "bars", [])


def test_the_download_has_every_digit_and_no_formula() -> None:
    assert figure().csv().decode() == "group,size\n'=cmd(),-0.12345\ntmb,\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_cells_are_no_formulas(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_a_picture_asks_for_the_readers_scheme_and_escapes_its_address() -> None:
    shown = str(figure().picture("/audit/x", 'version=a"><b>&until=2026-11', 7, narrow=True))
    assert 'media="(prefers-color-scheme: dark)"' in shown
    assert "drawn=narrow-dark" in shown
    assert "record=7" in shown
    assert "<b>" not in shown


def test_views_are_made_again_when_the_log_grew_and_a_minute_went() -> None:
    now = [0.0]
    views, made = KeptViews(clock=lambda: now[0]), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [views.get("page", 10, make), views.get("page", 10, make)] == [1, 1]
    assert views.get("page", 11, make) == 1, "under a minute old"
    now[0] = 61.0
    assert views.get("page", 10, make) == 1, "the log did not grow: still true"
    assert views.get("page", 11, make) == 2
    assert views.get("other", 11, make) == 3


def test_an_address_of_explanations_round_trips() -> None:
    asked = BulkAsked.read({"since": "2026-10", "version": "m/1", "by": "tissue"})
    assert asked.address() == "since=2026-10&version=m%2F1&by=tissue"
