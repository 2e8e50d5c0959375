"""A network whose members speak by rules, and who asks them all. Knows no particular rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, cast

from pydantic import Field

from llm_net.address import AbstractObject, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import Deadlock, DeliveryError, InvalidArguments
from llm_net.message import Message, origin, parse_arguments
from llm_net.protocols.acts import NotUnderstood
from llm_net.protocols.monitor import Monitor
from llm_net.protocols.outcome import Answers
from llm_net.protocols.question import Question
from llm_net.protocols.rules import Rules, Standing, standing_in
from llm_net.schema import Function, JsonSchema
from llm_net.supervision import Directive, Failure

OWN_FIELDS = ("sender", "reply_to", "role", "deadline", "protocol")
"""Fields that a model does not write: the runtime knows them."""


class InteractionProtocol(GenNetwork):
    """A network in which some messages may be said only when the rules allow it.

    Its members may be any agents, networks, people, models. A message that breaks the rules is not sent: its sender gets
    `BrokenRule`, with what would have been allowed. What is no matter of the rules is said freely. The network itself may
    take part: then a message to it begins the protocol, and its answer is the outcome.

    Args:
        patience: seconds that an answer to the network's own questions may take; None for as long as the run lasts.
        supervision: what to do about a member that fails when nobody waits for its answer: by default the others do not
            suffer for it, and what it was told goes to the dead letters.
    """

    rules: ClassVar[tuple[Rules, ...]] = ()
    """The conversations that have rules here."""

    patience: float | None = Field(default=120.0, gt=0)
    supervision: Directive = Field(default="skip", exclude=True, repr=False)

    def supervise(self, failure: Failure) -> Directive:
        """What a member fails at, and what it says that the network does not understand, goes to the dead letters; what
        comes from outside and is not understood is an error."""
        sender = failure.message.sender
        if failure.agent is self and (sender is None or isinstance(sender, Reference)):
            return "escalate"
        return self.supervision

    def monitor(self, *, resumed: bool) -> Monitor | None:
        return Monitor(self.rules, resumed=resumed) if self.rules else None

    # ------------------------------------------------------------------------------------------ asking the members

    async def collect(self, questions: Iterable[Message], *, patience: float | None = None) -> Answers:
        """Ask members, all at once, and wait until each has answered, failed, or is late.

        Whoever is silent, fails, does not understand, breaks the rules or is late is absent, and nobody else has to suffer
        for it: a late answer goes to the dead letters.

        Args:
            questions: at most one for each member.
            patience: seconds to wait; None for the network's own `patience`.
        """
        asked = list(questions)
        failures: dict[Message, BaseException] = {}
        wait = self.patience if patience is None else patience
        late = f"no answer within {wait:g} s" if wait is not None else "no answer"
        try:
            replies = await self.gather(asked, timeout=wait, failures=failures)
        except Deadlock as error:  # mailboxes are full, all round
            return Answers({}, {_receiver(question): str(error) for question in asked})
        answers = {reply.reply_to.id: reply for reply in replies if reply.reply_to is not None}
        given: dict[str, Message] = {}
        absent: dict[str, str] = {}
        for question in asked:
            member, reply = _receiver(question), answers.get(question.id)
            if reply is None:
                absent[member] = str(failures[question]) if question in failures else late
            elif isinstance(reply, NotUnderstood):
                absent[member] = reply.body or "it did not understand"
            else:
                given[member] = reply
        return Answers(given, absent)

    async def tell(self, messages: Iterable[Message]) -> None:
        """Tell members what they need not answer. Who has left, takes no more letters, or whose conversation is over does not
        hear it, and nobody else has to suffer for it."""
        for message in messages:
            with suppress(DeliveryError):
                await self.send(message)

    # ------------------------------------------------------------------------------------------ what may be said

    def standing(self, agent: AbstractObject) -> Standing | None:
        """The conversation of the message that an agent handles just now; None where it belongs to none."""
        handling = origin.get()
        if handling is None or handling.agent is not agent:
            return None
        return standing_in(self.rules, handling.message)

    def init_fns(self, agent: GenAgent | str) -> list[Function]:
        """What the rules allow this agent to say now, as functions for a model.

        While it handles a message of a conversation these are its answers, narrowed by the question where that says what
        answers look like. Else they are the messages with which it may begin one, and those that the rules do not know.
        """
        speaker = agent if isinstance(agent, GenAgent) else self[agent]
        standing = self.standing(speaker)
        if standing is None or standing.speaker(speaker) is None:
            return self._begin(super().init_fns(speaker))
        other = standing.other(speaker)
        handling = origin.get()
        question = handling.message if handling is not None else None
        return [answer_fn(kind, other, question) for kind in standing.allowed(speaker)]

    def message_from(
        self,
        arguments: str | Mapping[str, Any],
        *,
        name: str = "",
        sender: GenAgent | None = None,
        answering: Message | None = None,
    ) -> Message:
        standing = None if answering is None else standing_in(self.rules, answering)
        if sender is None or answering is None or standing is None or standing.speaker(sender) is None:
            return super().message_from(arguments, name=name, sender=sender, answering=answering)
        kinds = {kind.function_name(): kind for kind in standing.allowed(sender)}
        if name not in kinds:
            known = ", ".join(kinds) or "nothing"
            raise InvalidArguments(name or "?", (f"It may not be said now; allowed are {known}",))
        written = parse_arguments(name, arguments)
        written.pop("receiver", None)
        other = standing.other(sender)
        message = kinds[name].from_fn(
            written, network=self, answering=answering, omit=OWN_FIELDS, sender=sender, receiver=other
        )
        if isinstance(answering, Question) and (problem := answering.problem_with(message)) is not None:
            raise InvalidArguments(name, (problem.rstrip("."),))
        return message

    def _begin(self, offered: list[Function]) -> list[Function]:
        """What may be said outside of conversations."""
        known = {kind.function_name() for rules in self.rules for kind in rules.kinds.values()}
        openings = {rules.kinds[act].function_name() for rules in self.rules for act in rules.openings}
        return [function for function in offered if function["name"] not in known or function["name"] in openings]


def answer_fn(kind: type[Message], receiver: AbstractObject, question: Message | None) -> Function:
    """A kind of answer as a function for a model."""
    declared = kind.declare(receivers=[receiver.id], omit=(*OWN_FIELDS, "method"))
    narrower = question.fields_for(kind) if isinstance(question, Question) else {}
    properties = cast(dict[str, JsonSchema], declared["parameters"].get("properties", {}))
    for name, schema in narrower.items():
        told = properties.get(name, {}).get("description")
        properties[name] = {"description": told, **schema} if told is not None else dict(schema)
    return declared


def _receiver(question: Message) -> str:
    return "" if question.receiver is None else question.receiver.id
