"""A member of any protocol, of whom nothing is known but that it may do anything: answer, lie, be silent, late, fail or leave."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any, cast

from pydantic import Field

from llm_net import GenAgent, Message
from llm_net.dispatch import handles
from llm_net.errors import InvalidArguments, LlmNetError
from llm_net.llm.schema import sample
from llm_net.protocols.acts import ACTS, Cancel, NotUnderstood
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.rules import standing_in

OMITTED = ("sender", "receiver", "reply_to", "role", "deadline", "protocol", "method")

HABITS = ("honest", "lies", "silent", "late", "crashes", "leaves", "mixed")

TRIES = 20
"""Made-up answers to one question, of which none may be right: a schema does not say all that `problem_with` does."""


@cache
def _form(kind: type[Message]) -> Any:
    """What the class says of its fields, and no question narrows."""
    return kind.declare(omit=OMITTED)["parameters"]


class Stranger(GenAgent):
    """Does whatever its habit is with each message that it gets.

    Args:
        habit: one of `HABITS`; "mixed" is another one each time.
        met: the messages that anybody of them has received, to lie about.
        done: how often which habit was followed.
    """

    habit: str = "honest"
    met: Any = Field(default_factory=list, exclude=True)  # a list that all share, not copied
    done: dict[str, int] = Field(default_factory=dict)

    @handles(Message)
    async def aanything(self, message: Message) -> None:
        self.met.append(message)
        habit = self.habit
        if habit == "mixed":
            habit = self.random.choice(("honest", "honest", "honest", "lies", "silent", "late", "crashes", "leaves"))
        self.done[habit] = self.done.get(habit, 0) + 1
        match habit:
            case "silent":
                return
            case "crashes":
                raise RuntimeError(f"{self.id} crashed")
            case "leaves" if isinstance(self.network, InteractionProtocol) and self.id in self.network:
                self.network.remove(self)
            case "late":
                await asyncio.sleep(self.random.choice((0.5, 119.0, 121.0, 500.0)))
            case "lies":
                for _ in range(self.random.randrange(4)):
                    await self._lie(message)
        if habit != "lies" or self.random.random() < 0.5:
            await self._answer(message)

    async def _answer(self, message: Message) -> None:
        """Say something that is allowed."""
        network = self.network
        if not isinstance(network, InteractionProtocol):
            return
        standing = standing_in(network.rules, message)
        if standing is None or standing.speaker(self) is None:
            return
        allowed = {kind.function_name(): kind for kind in standing.allowed(self)}
        wanted = [name for name, kind in allowed.items() if kind not in (NotUnderstood, Cancel)]
        if not wanted:
            return
        offered = {each["name"]: each for each in network.init_fns(self)}
        assert offered.keys() == allowed.keys(), f"offered {[*offered]}, allowed {[*allowed]}"
        for attempt in range(TRIES):
            name = self.random.choice(wanted)
            if attempt == TRIES - 1:
                fallback = [kind.function_name() for kind in standing.rules.fallback if kind in allowed.values()]
                name = fallback[0] if fallback else name
            written = cast("dict[str, Any]", sample(cast("Any", offered[name]["parameters"]), self.random))
            with suppress(InvalidArguments):
                answer = network.message_from(written, name=name, sender=self, answering=message)
                await self.send(answer)
                return

    async def _lie(self, message: Message) -> None:
        """Say something that is not allowed, most likely; or fail at it."""
        network = self.network
        assert isinstance(network, InteractionProtocol)
        kinds = [kind for rules in network.rules for kind in rules.kinds.values()]
        known_kinds: list[type[Message]] = [*kinds, *kinds, *ACTS, Message]
        kind = self.random.choice(known_kinds)
        known = self.random.choice(self.met)
        others = [member for member in network if member is not self]
        somebody = self.random.choice([*others, network, network])
        envelope: dict[str, Any] = {"sender": self, "receiver": message.sender, "reply_to": message}
        match self.random.randrange(8):
            case 0:  # a word out of its time, or with wrong values
                pass
            case 1:  # in another's name
                envelope["sender"] = somebody
            case 2:  # what another was asked
                envelope |= {"reply_to": known, "receiver": known.sender}
            case 3:  # the id of what was said before
                envelope["id"] = known.id
            case 4:  # to somebody, about nothing
                envelope |= {"receiver": somebody, "reply_to": None}
            case 5:  # to somebody, about this
                envelope["receiver"] = somebody
            case 6:  # the verb alone
                envelope["method"] = self.random.choice(kinds).model_fields["method"].default
                kind = Message
            case _:  # in haste
                envelope["deadline"] = self.now() + timedelta(seconds=self.random.choice((-1, 1)))
        written = sample(_form(kind), self.random)
        caught = (LlmNetError,) if self.random.random() < 0.8 else ()
        with suppress(InvalidArguments):
            lie = kind.from_fn(cast("dict[str, Any]", written), **envelope)
            with suppress(*caught):
                await self.send(lie)
