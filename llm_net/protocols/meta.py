"""The moves that every conversation has: a message that is not understood, and the end of what is no longer wanted.

Knows no conversation in particular.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_net.message import Message
from llm_net.protocols.acts import Cancel, Failure, Inform, NotUnderstood, Refuse
from llm_net.protocols.rules import START, Move, Rules, Speaker

CANCELLING = "cancelling"


def exchange(
    name: str,
    question: type[Message],
    *answers: type[Message],
    source: str,
    initiator: str = "initiator",
    participant: str = "participant",
    refuse: bool = True,
) -> Rules:
    """The rules of one question and its answer.

    Args:
        name: of the rules.
        question: what the initiator says.
        answers: what the participant may say to that.
        source: where such a conversation is described.
        initiator, participant: what the roles are called.
        refuse: whether it may be refused. Small models like to refuse what they are asked, where they may.
    """
    moves = [Move(START, "initiator", question, "asked")]
    moves += [Move("asked", "participant", answer, "answered") for answer in answers]
    if refuse:
        moves.append(Move("asked", "participant", Refuse, "refused"))
    return Rules(name, completed(moves), source, initiator, participant, fallback=(Refuse,) if refuse else ())


def completed(moves: Sequence[tuple[str, Speaker, type[Message], str]]) -> tuple[Move, ...]:
    """These moves, and from each state in which a conversation is under way: either side may not understand, and the
    initiator may cancel.

    To cancel again changes nothing. What a participant had already said when it heard of a cancel is let through and changes
    nothing either; that is the monitor's matter, for it depends on what is answered.

    Source: FIPA SC00026H, section 2.2 and 2.3, Cancel Meta-Protocol; the same in SC00027 to SC00036.
    """
    given = tuple(Move(*move) for move in moves)
    under_way = dict.fromkeys(move.state for move in given if move.state != START)
    said = {(move.state, move.speaker, move.kind) for move in given}
    added = [
        move
        for state in under_way
        for move in (
            Move(state, "participant", NotUnderstood, "not understood"),
            Move(state, "initiator", NotUnderstood, "not understood"),
            Move(state, "initiator", Cancel, CANCELLING),
        )
        if move[:3] not in said
    ]
    added += [
        Move(CANCELLING, "initiator", Cancel, CANCELLING),
        Move(CANCELLING, "participant", Inform, "cancelled"),
        Move(CANCELLING, "participant", Failure, "cancel failed"),
        Move(CANCELLING, "participant", NotUnderstood, "not understood"),
    ]
    return (*given, *added)
