"""One has the floor at a time, for so many words and seconds, and may be interrupted. Knows no topics."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.ending import AllSilent, Ending, Talk, Turns
from llm_net.protocols.dialogue.line import Line, Lines
from llm_net.protocols.dialogue.selection import URGENT, most_urgent
from llm_net.protocols.dialogue.turn import Minutes, Say, TimeUp, Topic
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Grant(Question):
    """Take the floor: say a sentence, or that you have done.

    Args:
        body: the topic.
        said: so far.
        words: how many you may say in all.
        seconds: how long you may take for each sentence; None for as long as you like.
    """

    said: Lines = ()
    words: int
    seconds: float | None = None


class GoOn(Question):
    """Go on: say another sentence, or that you have done.

    Args:
        words: how many you may still say.
        seconds: how long you may take for it; None for as long as you like.
    """

    words: int
    seconds: float | None = None


class Done(Message):
    """Yield the floor: there is no more to say for now."""


class Interrupted(Message):
    """Say that somebody else has the floor now.

    Args:
        by: who interrupted; of several, who waited longest.
    """

    by: str


class Overhear(Question):
    """Hear a sentence of somebody else; say whether you interrupt.

    Args:
        body: the sentence.
        speaker: who said it.
    """

    speaker: str


class Listen(Message):
    """Listen on."""


class Interrupt(Message):
    """Interrupt: ask for the floor at once."""


FLOOR = Rules(
    "floor",
    completed([
        (START, "initiator", Grant, "granted"),
        ("granted", "participant", Say, "speaking"),
        ("granted", "participant", Done, "yielded"),
        ("granted", "initiator", TimeUp, "expired"),
        ("speaking", "initiator", GoOn, "granted"),
        ("speaking", "initiator", Interrupted, "interrupted"),
        ("speaking", "initiator", TimeUp, "expired"),
        (START, "initiator", Overhear, "overhearing"),
        ("overhearing", "participant", Listen, "listening"),
        ("overhearing", "participant", Interrupt, "interrupting"),
    ]),
    source="RFC 4582, Binary Floor Control Protocol; Dommel and Garcia-Luna-Aceves 1997, Floor control for multimedia "
    "conferencing and collaboration",
    initiator="chair",
    participant="member",
    sole=frozenset({"granted", "speaking"}),
    fallback=(Done, Listen),
)  # fmt: skip


class Floor(InteractionProtocol):
    """A conversation of its members in which one has the floor at a time: a `Topic` is answered by the `Minutes`.

    Whoever has the floor says a sentence at a time; the others hear each, and may interrupt. The floor goes to who waited
    longest, where an interruption counts as `URGENT` turns of waiting: so nobody waits for more than that and one turn of
    each other. Who is interrupted, or out of words or time, is told. Who fails or takes too long has left.

    Args:
        words: that one may say before the floor is taken back.
        seconds: that each sentence may take; None for the network's `patience`.
        ending: when it is over; a turn is what one says before the next has the floor.
        most: turns after which it is over whatever the ending says.
        interruptible: whether the others are asked after each sentence.
    """

    rules: ClassVar = (FLOOR,)

    words: int = Field(default=60, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    ending: Ending = Field(default=Turns(12) | AllSilent(), exclude=True, repr=False)
    most: int = Field(default=100, ge=1)
    interruptible: bool = True

    async def atopic(self, message: Topic) -> Minutes:
        said: list[Line] = []
        absent: dict[str, str] = {}
        hands: dict[str, int] = {}
        reason = ""
        while not reason:
            there = [member.id for member in self if member.id not in absent]
            if not there:
                reason = "nobody is left"
                break
            holder = most_urgent({name: hands.get(name, 0) for name in there}, said)
            words, hands = await self._hold(message, holder, tuple(said), absent)
            if words or holder not in absent:
                said.append(Line(speaker=holder, text=" ".join(words)))
                there = [name for name in there if name not in absent]
                reason = (self.ending | Turns(self.most)).reason(Talk(there, said))
        return Minutes.reply(message, body=reason, said=tuple(said), reason=reason, absent=absent)

    async def _hold(
        self, topic: Topic, holder: str, said: Lines, absent: dict[str, str]
    ) -> tuple[list[str], dict[str, int]]:
        """Let one have the floor. What it said, sentence by sentence, and how urgently the others want the floor now."""
        spoken: list[str] = []
        left, seconds = self.words, self.seconds or self.patience
        ask: Grant | GoOn = Grant(
            body=topic.body, said=said, words=left, seconds=seconds, receiver=holder, reply_to=topic
        )
        while True:
            answers = await self.collect([ask], patience=seconds)
            word = answers.given.get(holder)
            if isinstance(word, Done):
                return spoken, {}
            if not isinstance(word, Say):
                absent[holder] = answers.absent.get(holder) or "it did not understand"
                await self.collect([TimeUp(body=absent[holder], receiver=holder, reply_to=ask)], patience=seconds)
                return spoken, {}
            spoken.append(word.body)
            left -= len(word.body.split()) or 1
            hands = await self._hands(topic, holder, word.body, absent)
            if hands:
                await self.collect([Interrupted.reply(word, by=most_urgent(hands, said))], patience=seconds)
            elif left <= 0:
                await self.collect([TimeUp.reply(word, body=f"{self.words} words are over")], patience=seconds)
            else:
                ask = GoOn.reply(word, words=left, seconds=seconds)
                continue
            return spoken, hands

    async def _hands(self, topic: Topic, speaker: str, sentence: str, absent: dict[str, str]) -> dict[str, int]:
        others = [member.id for member in self if member.id != speaker and member.id not in absent]
        if not self.interruptible or not others:
            return {}
        questions = [Overhear(body=sentence, speaker=speaker, receiver=name, reply_to=topic) for name in others]
        answers = await self.collect(questions)
        absent |= answers.absent
        return dict.fromkeys(answers.of(Interrupt), URGENT)
