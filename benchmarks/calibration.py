"""How fast this machine is at this moment, as the CPU time of a fixed loop. Knows of no workload."""

import time


class _Counter:
    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int) -> None:
        self.total += number


def calibrate() -> float:
    """CPU seconds that a fixed loop takes now: calls, attributes, lists, dicts and small objects, about 20 ms.

    Two virtual cores that others share run by up to a half slower from one second to the next; a repetition that lies
    between two of these loops can be corrected for it.
    """
    counter = _Counter()
    box: list[object] = []
    table = {str(number): number for number in range(64)}
    keys = list(table)
    started = time.process_time()
    for turn in range(1_500):
        for key in keys:
            counter.add(table[key])
        for number in range(16):
            box.append((turn, number, _Counter()))
        while box:
            box.pop()
    return time.process_time() - started
