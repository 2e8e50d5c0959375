"""Rules as Mermaid diagrams: the states of a conversation, and how it may go. Knows rules, not the networks that hold to them."""

from __future__ import annotations

from collections.abc import Iterator

from llm_net.protocols.meta import CANCELLING
from llm_net.protocols.rules import START, Move, Rules, act_of


def states_of(rules: Rules, *, whole: bool = False) -> str:
    """The rules as a Mermaid state diagram: an arrow for what one side may say, "›" for the initiator, "‹" for the other.

    Args:
        whole: with the moves that every conversation has: what is not understood, and what is cancelled.
    """
    lines = ["stateDiagram-v2"]
    moves = list(rules.moves) if whole else own_moves(rules)
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, speaker, kind, then in moves:
        side = "›" if speaker == "initiator" else "‹"
        arrows.setdefault((state, then), []).append(f"{side} {act_of(kind)}")
    lines += [f"    {_node(state)} --> {_node(then)}: {', '.join(said)}" for (state, then), said in arrows.items()]
    shown = {move.then for move in moves}
    lines += [f"    {_node(end)} --> [*]" for end in rules.states if end in rules.ends and end in shown]
    return "\n".join(lines)


def sequence_of(rules: Rules) -> str:
    """The rules as a Mermaid sequence diagram: who may say what next, alternatives side by side."""
    lines = ["sequenceDiagram", f"    participant I as {rules.initiator}", f"    participant P as {rules.participant}"]
    return "\n".join([*lines, *_told(rules, START, own_moves(rules), (START,), "    ")])


def own_moves(rules: Rules) -> list[Move]:
    """The moves without those that every conversation has."""
    return [move for move in rules.moves if CANCELLING not in (move.state, move.then) and move.then != "not understood"]


def _told(rules: Rules, state: str, moves: list[Move], path: tuple[str, ...], indent: str) -> Iterator[str]:
    """What may happen from a state on; where it comes back to a state that it came from, a note says so."""
    here = [move for move in moves if move.state == state]
    for index, (_, speaker, kind, then) in enumerate(here):
        inner = indent + "    " if len(here) > 1 else indent
        if len(here) > 1:
            yield f"{indent}{'alt' if index == 0 else 'else'} {then}"
        arrow = "I->>P" if speaker == "initiator" else "P->>I"
        yield f"{inner}{arrow}: {act_of(kind)}"
        if then in path:
            yield f"{inner}Note over I,P: again as in “{then}”"
        else:
            yield from _told(rules, then, moves, (*path, then), inner)
    if len(here) > 1:
        yield f"{indent}end"


def _node(state: str) -> str:
    return "[*]" if state == START else state.replace(" ", "_").replace("-", "_")
