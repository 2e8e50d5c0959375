"""The figures as Markdown: tables, and what was aimed at. Knows no measurement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.contenders import CONTENDERS, FLOOR, OURS, OURS_VALIDATED, PYDANTIC
from benchmarks.figures import Figure, Figures
from benchmarks.harness import Sitting
from benchmarks.workloads import WORKLOADS

RATES = ("W1", "W2", "W3", "W4", "W7")
FLAT = ("F0", "F1", "F2", "F3")
PEERS = [name for name, entry in CONTENDERS.items() if entry.peer]


@dataclass(frozen=True, slots=True)
class Aim:
    """Something aimed at, what was measured of it, and whether it was reached; None: it was not measured."""

    text: str
    measured: str
    met: bool | None


def markdown(sitting: Sitting) -> str:
    """All tables of a sitting."""
    figures = Figures(sitting)
    sections = [
        _head(sitting, figures),
        _rates(figures),
        _idle(figures),
        _waits(figures),
        _imports(figures),
        _flat(figures),
        _runs(figures),
        _aims(figures),
        _failures(sitting),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def aims(figures: Figures) -> list[Aim]:
    """What is aimed at on one core with the default loop, beside what was measured."""
    found = [
        _at_least(figures, OURS, "W1", 1.2),
        _at_least(figures, OURS, "W2", 0.08),
        _at_least(figures, OURS, "W3", 2.8),
        _at_least(figures, OURS, "W4", 1.2),
        _at_least(figures, OURS, "W7", 0.45),
        _at_least(figures, OURS_VALIDATED, "W1", 0.8),
        _at_least(figures, OURS_VALIDATED, "W7", 0.3),
        _at_most(
            "W5: an idle agent takes at most 1,200 bytes beyond its own fields",
            _beyond(figures, "bytes"),
            1_200,
            "{:,.0f} bytes",
        ),
        _at_most("W5: an idle agent takes at most 5 µs beyond its own fields", _beyond(figures, "µs"), 5, "{:.2f} µs"),
        _at_most("W6: at most 1.3 × the ideal", _value(figures.wall(OURS)), 1.3, "{:.2f} ×"),
        _at_most(
            "W9: import takes at most 1.5 × pydantic's",
            _slower(figures, (OURS, "W9"), (PYDANTIC, "W9")),
            1.5,
            "{:.2f} ×",
        ),
    ]
    for key in FLAT[1:]:
        text = f"{key}: {WORKLOADS[key].title}: flat, within 15 % of noise"
        found.append(_at_most(text, _slower(figures, (OURS, key), (OURS, "F0")), 1.15, "{:.2f} ×"))
    return [*found, *(_ahead(figures, key) for key in (*RATES, "W5", "W6"))]


def _at_least(figures: Figures, contender: str, key: str, bound: float) -> Aim:
    speed = _value(figures.speed(contender, key))
    text = f"{key}: {contender} at least {bound:g} × {FLOOR}"
    return Aim(text, "–" if speed is None else f"{speed:.3g} ×", None if speed is None else speed >= bound)


def _at_most(text: str, measured: float | None, bound: float, layout: str) -> Aim:
    return Aim(
        text, "–" if measured is None else layout.format(measured), None if measured is None else measured <= bound
    )


def _ahead(figures: Figures, key: str) -> Aim:
    """Ours ahead of every peer: in the time of an operation, in W6 on the wall."""
    speeds: dict[str, float] = {}
    for peer in PEERS:
        theirs, ours = figures.wall(peer), figures.wall(OURS)
        if key == "W6":
            if theirs and ours:
                speeds[peer] = theirs.value / ours.value
        elif speed := figures.speed(OURS, key, than=(peer, key)):
            speeds[peer] = speed.value
    text = f"{key}: {OURS} ahead of every peer"
    if not speeds:
        return Aim(text, "–", None)
    quickest = min(speeds, key=speeds.__getitem__)
    return Aim(text, f"{speeds[quickest]:.3g} × {quickest}", speeds[quickest] > 1)


def _beyond(figures: Figures, unit: str) -> float | None:
    """What an idle agent takes beyond a bare model with its fields."""
    if unit == "bytes":
        ours, bare, scale = figures.grown(OURS), figures.grown(PYDANTIC), 1.0
    else:
        ours, bare, scale = figures.cost(OURS, "W5"), figures.cost(PYDANTIC, "W5"), 1e6
    return None if ours is None or bare is None else (ours.value - bare.value) * scale


def _slower(figures: Figures, one: tuple[str, str], other: tuple[str, str]) -> float | None:
    speed = figures.speed(*one, than=other)
    return None if speed is None else 1 / speed.value


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


# ------------------------------------------------------------------------------------------------ tables


def _head(sitting: Sitting, figures: Figures) -> str:
    rounds = 1 + max((round_ for round_, _ in sitting.samples), default=-1)
    pythons = sorted({sample.python for _, sample in sitting.samples})
    versions = [f"{name} {figures.version(name)}" for name in (*PEERS, PYDANTIC) if figures.version(name)]
    lines = (
        f"{sitting.date.replace('T', ' ')}, revision {sitting.revision}",
        f"{sitting.machine}; contenders on Python {' and '.join(pythons)}",
        ", ".join(versions),
        f"rounds: {rounds}, repetitions of about {sitting.seconds:g} s",
    )
    return "\n".join(f"- {line}" for line in lines if line)


def _rates(figures: Figures) -> str:
    keys = [key for key in RATES if any(figures.has(name, key) for name in CONTENDERS)]
    rows = (
        [name, *(_rate(figures, name, key) for key in keys)]
        for name in CONTENDERS
        if any(figures.has(name, key) for key in keys)
    )
    return _table(["", *(f"{key} {WORKLOADS[key].unit}" for key in keys)], rows)


def _rate(figures: Figures, name: str, key: str) -> str:
    cost, speed = figures.cost(name, key), figures.speed(name, key)
    if cost is None:
        return "–"
    share = "" if speed is None else f" · **{_three(100 * speed.value)} %**"
    return f"{_three(1 / cost.value)}/s · {_three(cost.value * 1e6)} µs{cost.spread}{share}"


def _idle(figures: Figures) -> str:
    rows = []
    for name in CONTENDERS:
        cost, grown = figures.cost(name, "W5"), figures.grown(name)
        if cost and grown:
            made = f"{figures.operations(name, 'W5'):,}"
            rows.append([name, made, f"{_three(cost.value * 1e6)}{cost.spread}", f"{grown.value:,.0f}"])
    return _table(["W5 idle agents", "made", "CPU µs each", "bytes each"], rows)


def _waits(figures: Figures) -> str:
    rows = []
    for name in CONTENDERS:
        wall, cpu = figures.wall(name), figures.cpu(name, "W6")
        if wall and cpu:
            rows.append([name, f"{wall.value:.2f}{wall.spread}", f"{wall.low:.2f}", f"{cpu.value:.3f}"])
    return _table(["W6 5 × 1,000 waits", "wall ÷ ideal", "best", "CPU s"], rows)


def _imports(figures: Figures) -> str:
    rows = []
    for name, entry in CONTENDERS.items():
        if cost := figures.cost(name, "W9"):
            slower = _slower(figures, (name, "W9"), (PYDANTIC, "W9"))
            about = f"{name}: {entry.about}" if name == "pydantic_model" else name
            rows.append([about, f"{cost.value * 1e3:.0f}{cost.spread}", "–" if slower is None else f"{slower:.2f}"])
    return _table(["W9 import", "CPU ms", "÷ pydantic"], rows)


def _flat(figures: Figures) -> str:
    rows = []
    for key in FLAT:
        if cost := figures.cost(OURS, key):
            slower = _slower(figures, (OURS, key), (OURS, "F0"))
            times = "–" if slower is None else f"{slower:.2f}"
            rows.append([f"{key} {WORKLOADS[key].title}", f"{_three(cost.value * 1e6)}{cost.spread}", times])
    return _table(["Flatness", "CPU µs per round trip", "÷ F0"], rows)


def _runs(figures: Figures) -> str:
    rows = []
    for name in CONTENDERS:
        if cost := figures.cost(name, "R1"):
            rows.append([name, f"{_three(cost.value * 1e6)}{cost.spread}"])
    return _table([f"R1 {WORKLOADS['R1'].title}", "CPU µs per run"], rows)


def _aims(figures: Figures) -> str:
    word = {True: "yes", False: "**no**"}
    return _table(
        ["Aim", "measured", "reached"],
        ([aim.text, aim.measured, word[aim.met]] for aim in aims(figures) if aim.met is not None),
    )


def _failures(sitting: Sitting) -> str:
    return _table(["Without a figure", "why"], ([what, why] for what, why in sitting.failures.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|", *lines])


def _three(number: float) -> str:
    """Three significant digits."""
    return f"{float(f'{number:.3g}'):,.0f}" if number >= 100 else f"{number:#.3g}"
