"""Units and plausible ranges of every measured number of a case.

A range is what a living adult with cancer can have, not what is healthy; it is there to catch another unit or a slip
of the pen. Both ends are allowed. Conversions that explain a value outside it are named in the message.
"""

from __future__ import annotations

from features.field_types import Measure, OtherUnit

DAYS = Measure("days", 0, 36_500)
FRACTION = Measure("fraction", 0, 1, (OtherUnit(1, 100, "percent"),))
PERCENT = Measure("percent", 0, 100)
EXON = Measure("exon", 1, 400)
COPIES = Measure("copies", 0, 1_000)
TMB = Measure("mut/Mb", 0, 1_000)
EXOME_COUNT = Measure("mutations", 0, 50_000)
BLOOD_COUNT = Measure("mutations", 0, 2_000)
LINE = Measure("line", 1, 20)
LINES = Measure("lines", 0, 20)
AGE = Measure("years", 0, 110)
ECOG = Measure("grade", 0, 4)
ALBUMIN = Measure("g/dL", 0.5, 8, (OtherUnit(10, 70, "g/L"),))
NLR = Measure("ratio", 0, 200)
HEMOGLOBIN = Measure("g/dL", 2, 25, (OtherUnit(25.01, 250, "g/L"), OtherUnit(1, 1.99, "mmol/L")))
PLATELETS = Measure("10^9/L", 1, 3_000, (OtherUnit(3_001, 3_000_000, "per µL"),))
LDH = Measure("ratio", 0.05, 50, (OtherUnit(50.01, 20_000, "U/L"),))
BMI = Measure("kg/m2", 8, 90)
CPS = Measure("points", 0, 100)
SITES = Measure("sites", 0, 40)
