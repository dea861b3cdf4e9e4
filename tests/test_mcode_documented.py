"""docs/fhir-mapping.md says what the code does: every finding with its severity and issue code, every LOINC code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features.sources.mcode import SAID
from features.sources.mcode.codes import PARTS, TOPICS

if TYPE_CHECKING:
    from pathlib import Path


def test_every_finding_is_documented(project_root: Path) -> None:
    """The table of findings is the table of the code."""
    text = (project_root / "docs" / "fhir-mapping.md").read_text(encoding="utf-8")
    rows = {row[0]: (row[1], row[2]) for row in re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w-]+) \|", text, re.MULTILINE)}
    assert rows == SAID


def test_the_first_code_of_every_topic_is_documented(project_root: Path) -> None:
    """So that an EHR engineer finds what to send."""
    text = (project_root / "docs" / "fhir-mapping.md").read_text(encoding="utf-8")
    silent = {"karnofsky", "pdl1_report"}  # named without their codes: they are not used
    unnamed = {"transcript", "assembly", "ranges", "region", "genomic"}
    first = {listed[0] for topic, listed in TOPICS.items() if topic not in silent}
    first |= {listed[0] for part, listed in PARTS.items() if part not in unnamed}
    assert {code for code in first if code not in text} == set()


def test_the_example_of_the_page_runs(project_root: Path) -> None:
    """As it stands."""
    text = (project_root / "docs" / "fhir-mapping.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "docs/fhir-mapping.md", "exec"), {})  # noqa: S102  (our own page)
