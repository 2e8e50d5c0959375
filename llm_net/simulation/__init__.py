"""Runs in a world of their own, where time jumps and chance is seeded. Knows the core and the local runtime.

`run(main(), seed=7)` instead of `asyncio.run(main())`: nothing sleeps, and it goes the same way each time.
"""

from llm_net.simulation.clock import outside, run

__all__ = ["outside", "run"]
