"""How charts look: one drawing in light and dark, wide and narrow, in colours that colour-blind eyes tell apart.

The colours are those of static/pages.css. Colour is never alone: shape, sign, label or place says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LIGHT = {
    "ink": "#17222b",
    "axis": "#51606b",
    "grid": "#e4e8ea",
    "surface": "#ffffff",
    "raises": "#0065a3",
    "lowers": "#b84a00",
    "third": "#00785b",
    "fourth": "#9c4f86",
    "fifth": "#7a6a00",
    "unknown": "#8d99a1",
}
DARK = {
    "ink": "#e8edf0",
    "axis": "#a6b3bc",
    "grid": "#2a353d",
    "surface": "#182026",
    "raises": "#62b5ea",
    "lowers": "#f0985a",
    "third": "#4fc3a1",
    "fourth": "#d79bc6",
    "fifth": "#d9c75a",
    "unknown": "#6d7c86",
}

WIDE, HALF, NARROW = 1140, 540, 326
"""Pixels: a figure across a page of 1280, one of two beside each other, and one on a page of 390."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Look:
    """Scheme and width of one drawing.

    Attributes
    ----------
    dark, narrow
        For the dark scheme; for phones.
    """

    dark: bool = False
    narrow: bool = False

    @classmethod
    def read(cls, text: str) -> Look:
        """Read ``wide-light`` and the like; any other text is a wide, light drawing.

        Examples
        --------
        >>> Look.read("narrow-dark")
        Look(dark=True, narrow=True)
        """
        return cls("dark" in text, "narrow" in text)

    @property
    def name(self) -> str:
        """As :meth:`read` reads it."""
        return f"{'narrow' if self.narrow else 'wide'}-{'dark' if self.dark else 'light'}"

    @property
    def colours(self) -> dict[str, str]:
        """Names to colours."""
        return DARK if self.dark else LIGHT

    @property
    def width(self) -> int:
        """Pixels of the whole drawing."""
        return NARROW if self.narrow else WIDE

    @property
    def size(self) -> int:
        """Pixels of a label; narrow drawings are not shrunk by the browser."""
        return 11 if self.narrow else 12

    def width_of(self, options: Mapping[str, Any]) -> int:
        """Return the width of a figure: half of a wide page where its options say so."""
        return HALF if options.get("half") and not self.narrow else self.width

    def diverging(self) -> list[str]:
        """Return the colours of low, middle and high."""
        return [self.colours["lowers"], self.colours["unknown"], self.colours["raises"]]

    def config(self) -> dict[str, Any]:
        """Return Vega-Lite's configuration."""
        colours = self.colours
        text = {"labelColor": colours["axis"], "titleColor": colours["ink"], "labelFontSize": self.size}
        text |= {"titleFontSize": self.size, "titleFontWeight": "normal"}
        axis = {"gridColor": colours["grid"], "domainColor": colours["axis"], "tickColor": colours["axis"]}
        return {
            "background": "transparent",
            "font": FONT,
            "aria": False,
            "view": {"stroke": None},
            "axis": {**text, **axis, "labelLimit": 110 if self.narrow else 220, "titlePadding": 8},
            "legend": {**text, "orient": "top", "labelLimit": 260, "symbolStrokeWidth": 0, "titleLimit": 300},
            "header": {**text, "titleColor": colours["axis"], "labelFontWeight": 600, "labelColor": colours["ink"]},
            "text": {"color": colours["ink"], "fontSize": self.size},
            "rule": {"color": colours["axis"]},
        }
