"""What the samples of a sitting say: medians, their spread, ratios within a round. Knows no layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.contenders import FLOOR
from benchmarks.harness import Sitting
from benchmarks.measure import Sample
from benchmarks.workloads import WAIT, WAITS


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over the rounds and the range in which all of them lie.

    Of five rounds that range covers the true median in 94 of 100 cases, whatever the distribution (all five fall on one
    side of it with probability 2 / 2**5).
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Figure:
        return cls(median(values), min(values), max(values))

    @property
    def spread(self) -> str:
        """How far the rounds lie apart: half of the range, as a share of the median. Empty for a single round."""
        return "" if self.low == self.high else f" ± {100 * (self.high - self.low) / 2 / self.value:.0f} %"


class Figures:
    """The figures of a sitting; each method gives None where one is missing."""

    def __init__(self, sitting: Sitting) -> None:
        self._samples: dict[tuple[str, str], dict[int, Sample]] = {}
        for round_, sample in sitting.samples:
            self._samples.setdefault((sample.contender, sample.workload), {})[round_] = sample
        loops = [one.loop for _, sample in sitting.samples for one in sample.slices]
        # The machine at its quickest tenth: what an undisturbed machine would show.
        self.reference = quantiles(loops, n=10)[0] if len(loops) > 1 else 1.0

    def has(self, contender: str, workload: str) -> bool:
        return (contender, workload) in self._samples

    def version(self, contender: str) -> str:
        for (name, _), rounds in self._samples.items():
            if name == contender:
                return next(iter(rounds.values())).version
        return ""

    def cost(self, contender: str, workload: str) -> Figure | None:
        """Normalised CPU seconds per operation."""
        return self._over_rounds(contender, workload, self._cost)

    def wall(self, contender: str) -> Figure | None:
        """W6: seconds on the wall, as a multiple of the ideal."""
        return self._over_rounds(contender, "W6", lambda sample: sample.slices[0].wall / (WAIT * WAITS))

    def cpu(self, contender: str, workload: str) -> Figure | None:
        """Normalised CPU seconds of a repetition."""
        return self._over_rounds(contender, workload, lambda sample: self._cost(sample) * sample.slices[0].n)

    def grown(self, contender: str) -> Figure | None:
        """W5: bytes of resident memory per agent."""
        return self._over_rounds(contender, "W5", lambda sample: sample.grown / sample.slices[0].n)

    def operations(self, contender: str, workload: str) -> int:
        """Operations of one repetition; 0 where there is none."""
        rounds = self._samples.get((contender, workload), {})
        return max((sum(one.n for one in sample.slices) for sample in rounds.values()), default=0)

    def speed(self, contender: str, workload: str, than: tuple[str, str] | None = None) -> Figure | None:
        """How many times as fast as another contender (by default the floor in the same workload), round by round."""
        ours, theirs = self._samples.get((contender, workload)), self._samples.get(than or (FLOOR, workload))
        if not ours or not theirs or not (both := ours.keys() & theirs.keys()):
            return None
        return Figure.of([self._cost(theirs[round_]) / self._cost(ours[round_]) for round_ in both])

    def _over_rounds(self, contender: str, workload: str, what: Callable[[Sample], float]) -> Figure | None:
        rounds = self._samples.get((contender, workload))
        return Figure.of([what(sample) for sample in rounds.values()]) if rounds else None

    def _cost(self, sample: Sample) -> float:
        return median(one.cpu / one.n / one.loop for one in sample.slices) * self.reference
