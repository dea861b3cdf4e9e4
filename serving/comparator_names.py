"""Names of the published rivals as a person reads them, on pages and on the terminal."""

from __future__ import annotations

COMPARATOR_NAMES = {
    "tmb_10_or_more": "TMB of 10 mut/Mb or more",
    "msi_high_or_tmb_10": "MSI-high, or TMB of 10 or more",
    "loris_pan_cancer": "LORIS, pan-cancer",
    "loris_nsclc": "LORIS, NSCLC",
}
"""By their names in an answer (:mod:`models.comparators`)."""
