"""Requests that come together are scored together: the same answers, and one's fault reaches nobody else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest

from serving.together import MOST_CASES, ScoredTogether

if TYPE_CHECKING:
    from collections.abc import Sequence


class Scorer:
    """Counts rounds; the first waits until everybody else stands in line."""

    def __init__(self, callers: int) -> None:
        self.callers, self.rounds, self.together = callers, [], ScoredTogether(cast("Any", self))
        self.first = threading.Event()

    def __call__(self, cases: Sequence[str]) -> list[str]:
        if not self.rounds:
            self.rounds.append(list(cases))
            self.first.wait(10)
        else:
            self.rounds.append(list(cases))
        if "broken" in cases:
            raise ValueError("broken")
        return [case.upper() for case in cases]

    def ask(self, cases: list[str]) -> list[str]:
        answers, first = self.together(cast("Any", cases))
        return cast("Any", answers)[first : first + len(cases)]

    def all(self, asked: list[list[str]]) -> list[list[str] | str]:
        def one(cases: list[str]) -> list[str] | str:
            try:
                return self.ask(cases)
            except ValueError as fault:
                return str(fault)

        with ThreadPoolExecutor(len(asked)) as pool:
            waiting = [pool.submit(one, cases) for cases in asked]
            while sum(map(len, self.rounds)) + len(self.together._waiting) < len(asked):
                pass  # until everybody stands in line behind the first
            self.first.set()
            return [future.result(10) for future in waiting]


def test_who_comes_while_one_is_scored_is_scored_in_one_round() -> None:
    scorer = Scorer(8)
    asked = [[f"case {i}"] for i in range(8)]
    assert scorer.all(asked) == [[case.upper()] for (case,) in asked]
    assert [len(cases) for cases in scorer.rounds] == [1, 7]


def test_the_fault_of_one_reaches_nobody_else() -> None:
    scorer = Scorer(4)
    found = scorer.all([["a"], ["b"], ["broken"], ["c"]])
    assert found == [["A"], ["B"], "broken", ["C"]]


def test_a_round_is_bounded_and_the_line_goes_on() -> None:
    scorer = Scorer(5)
    many = ["x"] * (MOST_CASES - 1)
    assert scorer.all([["a"], many, ["b"], many, ["c"]]) == [["A"], ["X"] * len(many), ["B"], ["X"] * len(many), ["C"]]
    assert max(len(cases) for cases in scorer.rounds) <= MOST_CASES


def test_alone_nobody_waits() -> None:
    scorer = Scorer(1)
    scorer.first.set()
    assert scorer.ask(["a"]) == ["A"]
    with pytest.raises(ValueError, match="broken"):
        scorer.ask(["broken"])
    assert scorer.ask(["b"]) == ["B"]
