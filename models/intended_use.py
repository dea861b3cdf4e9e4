"""The intended-use sentence: one constant, in every answer, page, card and report."""

from __future__ import annotations

INTENDED_USE = (
    "For research use only. Not cleared or approved as a medical device by any authority; "
    "not for diagnosis or treatment decisions."
)
"""Said with every number this software gives (design: architecture.md, "The answer")."""

NO_RECOMMENDATION = "Toxicity is not estimated, and a high number is no recommendation."
"""Said by the card."""
