"""Drawings of calibration: reliability, values over time, values by group, counts by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.pages.chart_look import Look

    Options = Mapping[str, Any]


def reliability(chart: Any, look: Look, options: Options) -> Any:
    """One point per bin: predicted, observed, low, high; and the line on which both are equal."""
    import altair as alt

    x = alt.X("predicted:Q", title="mean probability that was given", scale=alt.Scale(domain=[0, 1]))
    percent = alt.Axis(format="%")
    base = chart.encode(x=x.axis(percent))
    y = alt.Y("observed:Q", title="share that responded", scale=alt.Scale(domain=[0, 1]), axis=percent)
    interval = base.mark_rule(color=look.colours["raises"], strokeWidth=2).encode(y="low:Q", y2="high:Q")
    points = base.mark_point(filled=True, size=60, color=look.colours["raises"], opacity=1).encode(y=y)
    ends = alt.InlineData(values=[{"a": 0, "b": 0}, {"a": 1, "b": 1}])
    ideal = alt.Chart(ends).mark_line(strokeDash=[5, 4], strokeWidth=1, color=look.colours["axis"])
    width = look.width_of(options)
    return (ideal.encode(x="a:Q", y="b:Q") + interval + points).properties(width=width, height=0.8 * width)


def over_time(chart: Any, look: Look, options: Options) -> Any:
    """One point per month with its interval: month, value, low, high; a line where calibration is right."""
    import altair as alt

    base = chart.encode(x=alt.X("month:O", title=options["x"], axis=alt.Axis(labelAngle=-90 if look.narrow else -35)))
    interval = base.mark_rule(strokeWidth=2, color=look.colours["raises"]).encode(
        y=alt.Y("low:Q", title=options["y"]), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=55, color=look.colours["raises"], opacity=1).encode(y="value:Q")
    right = alt.Chart().mark_rule(strokeDash=[5, 4], color=look.colours["axis"]).encode(y=alt.datum(options["right"]))
    return (right + interval + points).properties(width=look.width, height=220, data=alt.NamedData("rows"))


def forest(chart: Any, look: Look, options: Options) -> Any:
    """One line per group: label, value, low, high; in the order of the rows."""
    import altair as alt

    base = chart.encode(y=alt.Y("label:N", sort=None, title=None))
    interval = base.mark_rule(strokeWidth=2, color=look.colours["raises"]).encode(
        x=alt.X("low:Q", title=options["x"]), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=55, color=look.colours["raises"], opacity=1).encode(x="value:Q")
    right = alt.Chart().mark_rule(strokeDash=[5, 4], color=look.colours["axis"]).encode(x=alt.datum(options["right"]))
    return (right + interval + points).properties(
        width=look.width_of(options), height=alt.Step(24), data=alt.NamedData("rows")
    )


def shares(chart: Any, look: Look, options: Options) -> Any:
    """Bars of counts by month, stacked by what: month, what, n."""
    import altair as alt

    names = ("raises", "lowers", "third", "fourth", "fifth", "unknown", "axis", "ink")
    colours = [look.colours[name] for name in names][: len(options["order"])]
    scale = alt.Scale(domain=options["order"], range=colours)
    return (
        chart.mark_bar(stroke=look.colours["surface"])
        .encode(
            x=alt.X("month:O", title=options["x"], axis=alt.Axis(labelAngle=-90 if look.narrow else -35)),
            y=alt.Y("n:Q", title=options["y"], axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("what:N", sort=options["order"], title=None, scale=scale).legend(
                columns=1 if look.narrow else 4
            ),
            order=alt.Order("rank:Q"),
        )
        .properties(width=look.width, height=220)
    )
