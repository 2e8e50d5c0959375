"""The words of conversations in which one speaks after the other. Knows no order of speakers."""

from __future__ import annotations

from llm_net.message import Message
from llm_net.protocols.dialogue.line import Lines
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question


class Topic(Message):
    """Talk about something together."""


class TakeTurn(Question):
    """Speak on the topic, after what was said.

    Args:
        body: the topic.
        said: so far.
    """

    said: Lines = ()


class Say(Message):
    """Say something to everybody."""


class Skip(Message):
    """Say nothing this time."""


class TimeUp(Message):
    """Say that the time for it is over."""


class Minutes(Outcome):
    """What was said, and why no more was.

    Args:
        said: first to last.
        reason: why it ended.
    """

    said: Lines = ()
    reason: str = ""
