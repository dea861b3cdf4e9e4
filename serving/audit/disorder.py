"""What happened to a chain that does not verify: which record was changed, removed, inserted or moved.

Each record's hash covers its number, so a record that was moved or renumbered still tells the number it was written
with: the one under which its hash is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.audit.chain import link_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

MOST_TRIED = 2_000
"""Numbers that are tried for a record whose hash fits none of the likely ones."""


@dataclass(frozen=True)
class Link:
    """A record as the chain sees it; ``content`` is computed from what is stored, the others are as stored."""

    seq: int
    record_id: str
    previous: str
    hash: str
    content: str

    def fits(self, seq: int) -> bool:
        """Return whether the hash is right under a number."""
        return link_hash(seq, self.previous, self.content) == self.hash


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was written.

    Attributes
    ----------
    kind
        ``changed``, ``missing``, ``inserted``, ``reordered``, ``rewritten``, ``cut``, ``head``, ``key``, ``segment``.
    seq
        Number of the record, where one is concerned.
    text
        In words, without values.
    """

    kind: str
    seq: int | None
    text: str


def named(links: Sequence[Link], start: tuple[int, str], signed: Collection[str]) -> list[Problem]:
    """Name what is wrong with a chain.

    Parameters
    ----------
    links
        In the order of their stored numbers.
    start
        Number and hash that the first stands on.
    signed
        Hashes of signed heads: of two records for one place, the signed one is the original.
    """
    written = _written_numbers(links)
    inserted = _inserted(links, written, signed)
    problems = [
        Problem("inserted", link.seq, f"record {link.seq} ({link.record_id}) was inserted: another has its place")
        for place, link in enumerate(links)
        if place in inserted
    ]
    kept = [
        (link, number) for place, (link, number) in enumerate(zip(links, written, strict=True)) if place not in inserted
    ]
    numbers = _with_changed_placed(kept)
    problems += _changed(kept)
    problems += _reordered(kept, numbers)
    problems += _missing(numbers, start[0])
    problems += _unlinked(kept, numbers, start, {problem.seq for problem in problems})
    return sorted(problems, key=lambda problem: problem.seq or 0)


def _written_numbers(links: Sequence[Link]) -> list[int | None]:
    """Return the number that each record was written with; None where its hash is right under none."""
    at = {link.hash: link.seq for link in links}
    suspects = [link.seq for link in links if not link.fits(link.seq)][:MOST_TRIED]
    found: list[int | None] = []
    shift = 0
    for link in links:
        likely = [link.seq, link.seq - shift, at.get(link.previous, -1) + 1, link.seq - 1, link.seq + 1]
        number = next((one for one in likely if link.fits(one)), None)
        if number is None:
            number = next((one for one in suspects if link.fits(one)), None)
        found.append(number)
        shift = link.seq - number if number is not None else shift
    return found


def _inserted(links: Sequence[Link], written: Sequence[int | None], signed: Collection[str]) -> set[int]:
    """Return the places of records that stand where another was written, or push the others on."""
    followed = {link.previous for link in links} | set(signed)
    by_number: dict[int, list[int]] = {}
    for place, number in enumerate(written):
        if number is not None:
            by_number.setdefault(number, []).append(place)
    found: set[int] = set()
    for places in by_number.values():
        ranked = sorted(places, key=lambda place: (links[place].hash not in followed, place))
        found.update(ranked[1:])
    for place in range(len(links) - 1):
        following = written[place + 1]
        if written[place] is None and following is not None:
            before = written[place - 1] if place else following - 1
            if before is not None and following == before + 1 and links[place + 1].seq == links[place].seq + 1:
                found.add(place)
    return found


def _with_changed_placed(kept: Sequence[tuple[Link, int | None]]) -> list[int]:
    """Return written numbers, a changed record keeping the place it is found in."""
    numbers: list[int] = []
    shift = 0
    for link, number in kept:
        numbers.append(link.seq - shift if number is None else number)
        shift = link.seq - numbers[-1] if number is not None and abs(link.seq - number) <= 1 else shift
    return numbers


def _changed(kept: Sequence[tuple[Link, int | None]]) -> Iterator[Problem]:
    for link, number in kept:
        if number is None:
            yield Problem("changed", link.seq, f"record {link.seq} ({link.record_id}) was changed")


def _reordered(kept: Sequence[tuple[Link, int | None]], numbers: Sequence[int]) -> Iterator[Problem]:
    for (link, _), number, in_order in zip(kept, numbers, sorted(numbers), strict=True):
        if number != in_order:
            text = f"record {link.seq} ({link.record_id}) was moved: it was written as record {number}"
            yield Problem("reordered", link.seq, text)


def _missing(numbers: Sequence[int], last_before: int) -> Iterator[Problem]:
    present = sorted(set(numbers))
    for before, after in zip([last_before, *present], present, strict=False):
        if after - before == 2:  # one number lies between
            yield Problem("missing", before + 1, f"record {before + 1} is missing")
        elif after - before > 2:
            yield Problem("missing", before + 1, f"records {before + 1} to {after - 1} are missing")


def _unlinked(
    kept: Sequence[tuple[Link, int | None]],
    numbers: Sequence[int],
    start: tuple[int, str],
    named_already: set[int | None],
) -> Iterator[Problem]:
    """Yield records that are right in themselves, yet are not those that the next ones were chained to."""
    before_seq, before_number, before_hash = start[0], start[0], start[1]
    for number, link in sorted(zip(numbers, (link for link, _ in kept), strict=True), key=lambda pair: pair[0]):
        concerned = {before_seq, link.seq} & named_already
        if number == before_number + 1 and link.previous != before_hash and not concerned:
            text = f"record {before_seq} was changed: record {link.seq} was chained to another content of it"
            yield Problem("changed", before_seq, text)
        before_seq, before_number, before_hash = link.seq, number, link.hash
