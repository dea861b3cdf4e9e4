"""How much is remembered of what was read before: for the life of a service that sees new variants every day."""

from __future__ import annotations

MOST_FINDINGS = 16_384
"""Distinct findings whose reading is remembered, in each of the places that read them.

All of them together take about 2.4 kB a finding, so some 40 MB of a process at most (measured with eight variants a
case that had not been seen before). What recurs stays; a granule of bulk scoring (8,192 invented cases) has some 4,100.
"""
