"""Solutions of bargaining problems: Nash, Kalai-Smorodinsky, egalitarian, utilitarian. Knows values, not offers.

Each names all outcomes that tie, and none where every outcome costs somebody more than no agreement would. What it
names is efficient and no loss to anybody.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

from llm_net.protocols.negotiation.problem import Problem, Utility, highest


def nash(problem: Problem) -> tuple[str, ...]:
    """The highest product of gains. In which unit a party measures makes no difference.

    Source: Nash 1950, The bargaining problem; Mariotti 1998, Nash bargaining theory when the number of alternatives can
    be finite.
    """
    names = problem.candidates()
    return highest(names, {name: (prod(problem.gains(name)),) for name in names})


def kalai_smorodinsky(problem: Problem) -> tuple[str, ...]:
    """The most equal gains, each as a part of the most that its party could gain; then the next lowest part; and so on.

    A party that can gain nothing at all has no say.

    Source: Kalai and Smorodinsky 1975, Other solutions to Nash's bargaining problem; Imai 1983, Individual monotonicity
    and lexicographic maxmin solution.
    """
    names = problem.candidates()
    most = [max(gains) for gains in zip(*(problem.gains(name) for name in problem.rational), strict=True)]

    def parts(name: str) -> tuple[Utility, ...]:
        return tuple(
            sorted(Fraction(gain) / best for gain, best in zip(problem.gains(name), most, strict=True) if best)
        )

    return highest(names, {name: parts(name) for name in names})


def egalitarian(problem: Problem) -> tuple[str, ...]:
    """The most equal gains: the highest lowest gain; then the next lowest; and so on.

    Source: Kalai 1977, Proportional solutions to bargaining situations; Chun and Peters 1988, The lexicographic
    egalitarian solution.
    """
    names = problem.candidates()
    return highest(names, {name: tuple(sorted(problem.gains(name))) for name in names})


def utilitarian(problem: Problem) -> tuple[str, ...]:
    """The highest sum of gains, whoever has them.

    Source: Harsanyi 1955, Cardinal welfare, individualistic ethics, and interpersonal comparisons of utility.
    """
    names = problem.candidates()
    return highest(names, {name: (sum(problem.gains(name)),) for name in names})
