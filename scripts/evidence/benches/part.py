"""What a part of ``dive bench`` says of itself: its section in BENCH.md, and what its ratios are to be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """Our rate is to be at least ``least`` times the better of the named sides, with ``threads`` (None: with any)."""

    workload: str
    against: str
    least: float
    threads: int | None
    why: str


@dataclass(frozen=True)
class Part:
    """A section of BENCH.md.

    Args:
        title: Its heading.
        text: What is measured, wrapped at 120 characters.
        unit: What a rate counts.
        goals: Of its workloads.
    """

    title: str
    text: str
    unit: str = "samples"
    goals: tuple[Goal, ...] = ()
