"""Which package bids to accept, for many items, as an integer program. The only file that knows SciPy."""

from __future__ import annotations

from collections.abc import Sequence

from llm_net.errors import MissingDependency
from llm_net.protocols.auctions.package import Accepted, PackageBid


def milp(bids: Sequence[PackageBid]) -> tuple[Accepted, ...]:
    """One way to accept bids that has the highest sum; others may tie with it. A `Solver` beside `search`.

    The sums are compared in floating point, so two ways whose sums differ by less than one part in 10⁹ may be taken for
    equal.

    Raises:
        MissingDependency: SciPy is not installed.
        RuntimeError: the solver gave up.

    Source: Andersson, Tenhunen and Ygge 2000, Integer programming for combinatorial auction winner determination; Huangfu
    and Hall 2018, Parallelizing the dual revised simplex method (HiGHS).
    """
    try:
        from scipy.optimize import Bounds, LinearConstraint
        from scipy.optimize import milp as solve
    except ImportError as absent:
        raise MissingDependency("scipy", "markets", "winner determination by integer programming") from absent
    if not bids:
        return ((),)
    rows = [[bid.bidder == name for bid in bids] for name in dict.fromkeys(bid.bidder for bid in bids)]
    rows += [[item in bid.items for bid in bids] for item in sorted(frozenset().union(*(bid.items for bid in bids)))]
    solution = solve(
        c=[-float(bid.amount) for bid in bids],
        constraints=LinearConstraint([[float(cell) for cell in row] for row in rows], ub=1),
        integrality=[1] * len(bids),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    if not solution.success:
        raise RuntimeError(f"the solver found no best way to accept the bids: {solution.message}")
    return (tuple(bid for bid, taken in zip(bids, solution.x, strict=True) if taken > 0.5 and bid.amount),)
