"""Drawings of explanations: bars, beeswarm, dependence, drift, subgroups, two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.pages.chart_look import Look

    Options = Mapping[str, Any]


_FOR_NUMBERS = {"left": 2, "top": 2, "bottom": 2, "right": 32}
"""Pixels around a chart of bars: the number after the longest bar is no part of what Vega fits into the width."""


def bars(chart: Any, look: Look, options: Options) -> Any:
    """One bar per label, in the order of the rows: label, value."""
    import altair as alt

    y = alt.Y("label:N", sort=None, title=None)
    x = alt.X("value:Q", title=options["x"], axis=alt.Axis(tickCount=6))
    bar = chart.mark_bar(color=look.colours["raises"], height=14).encode(y=y, x=x)
    text = chart.mark_text(align="left", dx=4).encode(
        y=y, x="value:Q", text=alt.Text("value:Q", format=options.get("format", ".2f"))
    )
    return (bar + text).properties(width=look.width_of(options), height=alt.Step(22), padding=_FOR_NUMBERS)


def two_bars(chart: Any, look: Look, options: Options) -> Any:
    """Two bars per label, one of each version: label, version, value."""
    import altair as alt

    colours = [look.colours["raises"], look.colours["lowers"]]
    legend = alt.Legend(columns=1) if look.narrow else alt.Legend()  # two names do not stand side by side on a phone
    colour = alt.Color("version:N", sort=options["versions"], title=None, legend=legend)
    y = alt.Y("label:N", sort=None, title=None)
    offset = alt.YOffset("version:N", sort=options["versions"])
    base = chart.encode(y=y, yOffset=offset, x=alt.X("value:Q", title=options["x"], axis=alt.Axis(tickCount=6)))
    bar = base.mark_bar(height=9).encode(
        color=colour.scale(alt.Scale(domain=options["versions"], range=colours)),
    )
    text = base.mark_text(align="left", dx=4, fontSize=look.size - 2).encode(text=alt.Text("value:Q", format=".2f"))
    return (bar + text).properties(width=look.width_of(options), height=alt.Step(13), padding=_FOR_NUMBERS)


_ENDS = "datum.value < .2 ? 'low' : datum.value > .8 ? 'high' : ''"


def beeswarm(chart: Any, look: Look, options: Options) -> Any:
    """One point per answer and feature: feature, phi, offset, level (0 lowest value to 1 highest, None unknown)."""
    import altair as alt

    colour = alt.Color("level:Q", title="value of the feature, from its lowest to its highest")
    legend = alt.Legend(orient="top", gradientLength=160, tickCount=2, labelExpr=_ENDS)
    base = chart.encode(
        y=alt.Y("feature:N", sort=options["order"], title=None),
        yOffset=alt.YOffset("offset:Q", scale=alt.Scale(domain=[-1, 1])),
        x=alt.X("phi:Q", title=options["x"], axis=alt.Axis(tickCount=5 if look.narrow else 10)),
    )
    known = base.transform_filter("isValid(datum.level)").mark_circle(size=14, opacity=0.85)
    scale = alt.Scale(domain=[0, 0.5, 1], range=look.diverging(), interpolate="rgb")
    unknown = base.transform_filter("!isValid(datum.level)").mark_point(
        size=26, shape="cross", strokeWidth=0.7, filled=False, color=look.colours["unknown"]
    )
    zero = alt.Chart().mark_rule(color=look.colours["axis"]).encode(x=alt.datum(0))
    swarm = (zero + unknown + known.encode(color=colour.scale(scale).legend(legend))).properties(
        width=look.width, height=alt.Step(30)
    )
    return swarm.properties(data=alt.NamedData("rows"))


def dependence(chart: Any, look: Look, options: Options) -> Any:
    """One point per answer: value (number or text), phi, way (``as declared``, ``against``, ``not judged``)."""
    import altair as alt

    kind = "Q" if options["numeric"] else "N"
    x = alt.X(f"value:{kind}", title=options["x"])
    if options["numeric"]:
        x = x.scale(zero=False, nice=True)
    order = ["as declared", "against", "not judged"]
    colours = [look.colours["raises"], look.colours["lowers"], look.colours["unknown"]]
    points = chart.mark_point(size=32, opacity=0.85, filled=True).encode(
        x=x,
        y=alt.Y("phi:Q", title="contribution, log-odds"),
        color=alt.Color("way:N", sort=order, title=None, scale=alt.Scale(domain=order, range=colours)),
        shape=alt.Shape("way:N", sort=order, title=None, scale=alt.Scale(domain=order, range=_SHAPES)),
    )
    zero = alt.Chart().mark_rule(color=look.colours["axis"]).encode(y=alt.datum(0))
    return (zero + points).properties(width=look.width, height=300, data=alt.NamedData("rows"))


_SHAPES = ["circle", "triangle-down", "cross"]


def drift(chart: Any, look: Look, options: Options) -> Any:  # noqa: ARG001  # a facet names its data itself
    """Small multiples, one per group: group, month, mean, low, high."""
    import altair as alt

    columns = 2 if look.narrow else 4
    month = alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-90, labelExpr=options["label"]))
    base = alt.Chart().encode(x=month)
    band = base.mark_rule(strokeWidth=5, opacity=0.35, color=look.colours["raises"]).encode(
        y=alt.Y("low:Q", title=None), y2="high:Q"
    )
    line = base.mark_line(color=look.colours["raises"], point=alt.OverlayMarkDef(size=22, color=look.colours["raises"]))
    zero = alt.Chart().mark_rule(color=look.colours["axis"]).encode(y=alt.datum(0))
    panel = (zero + band + line.encode(y="mean:Q")).properties(width=(look.width - 30) // columns - 42, height=110)
    facet = alt.Facet("group:N", sort=options["order"], title=None, header=alt.Header(labelPadding=4))
    return panel.facet(facet, columns=columns, data=alt.NamedData("rows"), spacing=14)


def heat(chart: Any, look: Look, options: Options) -> Any:
    """A number per subgroup and group: subgroup, group, mean; None where too few answers stand behind it."""
    import altair as alt

    largest = options["largest"]
    scale = alt.Scale(
        domain=[-largest, 0, largest],
        range=[look.colours["lowers"], look.colours["surface"], look.colours["raises"]],
        interpolate="rgb",
    )
    above = alt.Axis(orient="top", labelAngle=-60 if look.narrow else -30)
    base = chart.encode(
        y=alt.Y("subgroup:N", sort=options["subgroups"], title=None),
        x=alt.X("group:N", sort=options["groups"], title=None, axis=above),
    )
    boxes = base.mark_rect(stroke=look.colours["surface"]).encode(
        color=alt.Color("mean:Q", title="mean contribution, log-odds", scale=scale, legend=None)
    )
    strong = f"abs(datum.mean) > {0.6 * largest}"
    words = alt.condition(strong, alt.value(look.colours["surface"]), alt.value(look.colours["ink"]))
    text = base.mark_text(fontSize=look.size - (3 if look.narrow else 1)).encode(text="text:N", color=words)
    return (boxes + text).properties(width=look.width, height=alt.Step(26))
