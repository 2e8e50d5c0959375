"""A contract net: a manager announces a task, contractors bid or refuse, the best bidder does it. Knows no model.

Source: R. G. Smith, "The Contract Net Protocol" (1980); verbs as in FIPA SC00029. Every decision is the model's:
whether to bid (an enum), for how much (a bounded number), whom to choose (an enum), and all sentences. Questions
are put so that small models can take them: one at a time, a system line of at most 15 words, examples for prose alone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from random import Random

from llm_net.base import GenAgent, GenNetwork
from llm_net.chat import Output, Request, Settings, Turn, assistant, system, user
from llm_net.errors import InvalidOutput
from llm_net.llm.scripted import Line, improvise
from llm_net.message import Message
from llm_net.ports import Model
from llm_net.schema import JsonSchema

TASK = "Repair a flat bicycle tyre."
LOWEST, HIGHEST = 20, 90
TRADES = ("painting", "translation", "repair", "gardening", "cooking", "cleaning")

SORT = "You sort tasks by kind of work."
OFFER = "You offer to do the task, in one short sentence."
REPORT = "You did the task. Say how, in one short sentence."
CHOOSE = "You choose the better offer."


class CallForProposals(Message):
    """Announce a task and ask for a price."""

    lowest: int
    highest: int


class Propose(Message):
    """Offer to do the task for a price."""

    price: int


@dataclass(frozen=True, slots=True)
class Voice:
    """A model and how it shall decode."""

    model: Model
    settings: Settings


class Speaker(GenAgent):
    """An agent whose words and decisions are a model's."""

    voice: Voice

    async def say(self, instruction: str, examples: dict[str, str], question: str) -> str:
        """One sentence, in the manner of the examples; what a talkative model adds to it is cut."""
        shots = [turn for asked, answer in examples.items() for turn in (user(asked), assistant(answer))]
        text = await self._ask([system(instruction), *shots, user(question)])
        sentence, full_stop, _ = " ".join(text.split()).partition(". ")
        return sentence + full_stop.strip()

    async def choose(self, instruction: str, question: str, options: tuple[str, ...]) -> str:
        """One of the options."""
        return str(await self._decide(instruction, question, "choice", {"type": "string", "enum": [*options]}))

    async def price(self, instruction: str, question: str, lowest: int, highest: int) -> int:
        """A whole number between two bounds, both included."""
        answer: JsonSchema = {"type": "integer", "minimum": lowest, "maximum": highest}
        price = await self._decide(instruction, question, "price", answer, chance=2)
        if not isinstance(price, int):
            raise InvalidOutput(self.voice.model.name, f"{price!r} is not a whole number; ask again")
        return price

    async def _decide(
        self, instruction: str, question: str, name: str, answer: JsonSchema, *, chance: float = 1
    ) -> object:
        # An object of one field with a telling name: a small model reads it as part of the question.
        schema: JsonSchema = {
            "type": "object",
            "properties": {name: answer},
            "required": [name],
            "additionalProperties": False,
        }
        written = await self._ask([system(instruction), user(question)], Output(schema, name), chance=chance)
        return json.loads(written)[name]

    async def _ask(self, turns: list[Turn], output: Output | None = None, *, chance: float = 1) -> str:
        settings = self.voice.settings
        settings = replace(
            settings,
            temperature=None if settings.temperature is None else settings.temperature * chance,
            seed=self.random.getrandbits(31),  # of this agent in this run: the same again under the same seed
            stop=() if output else ("\n",),
        )
        return (await self.complete(self.voice.model, Request(turns, output=output, settings=settings))).text


class Contractor(Speaker):
    """Bids for what it takes for work of its trade, never below its least price, and does it when it is chosen."""

    trade: str
    least: int
    manner: str
    promise: str

    async def acall_for_proposals(self, message: CallForProposals) -> Message:
        task = f"Task: {message.body}"
        kind = await self.choose(SORT, f"{task}\nWhat kind of work is it?", TRADES)
        if kind != self.trade:
            return message.reply(method="refuse", body=f"I take this for {kind}. I do {self.trade}.")
        price = await self.price(
            f"You are a craftsman, {self.manner}.",
            f"{task}\nYour price in euros?",
            max(self.least, message.lowest),
            message.highest,
        )
        reason = await self.say(
            OFFER,
            {
                "Task: Fix a broken chair.": f"I can fix the chair {self.promise}.",
                "Task: Mend a torn coat.": f"I can mend the coat {self.promise}.",
            },
            task,
        )
        return Propose.reply(message, body=reason, price=price)

    async def aaccept(self, message: Message) -> Message:
        report = await self.say(
            REPORT,
            {
                "Task: Fix a broken chair.": "I glued the leg of the chair and let it dry.",
                "Task: Mend a torn coat.": "I sewed the coat with a strong thread.",
            },
            f"Task: {message.root.body}",
        )
        return message.reply(method="inform", body=report)

    def reject(self, message: Message) -> None:
        """Nothing to do: the task went to another."""


class Manager(Speaker):
    """Announces a task to all contractors, chooses among their offers, and hands back what the chosen one reports."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        calls = [
            CallForProposals(body=message.body, lowest=LOWEST, highest=HIGHEST, receiver=contractor, reply_to=message)
            for contractor in self.network.receivers(CallForProposals)
        ]
        offers = {
            reply.sender.id: reply for reply in await self.gather(calls) if isinstance(reply, Propose) and reply.sender
        }
        if not offers:
            yield message.reply(method="failure", body="Nobody wants to do it.")
            return
        chosen = next(iter(offers))
        if len(offers) > 1:
            listed = "\n".join(f"{name}: {offer.price} euros, {offer.body}" for name, offer in offers.items())
            chosen = await self.choose(CHOOSE, f"Task: {message.body}\n{listed}", tuple(offers))
        for name, offer in offers.items():
            if name != chosen:
                yield offer.reply(method="reject", body=f"{chosen} does it.")
        report = await self.call(
            offers[chosen].reply(method="accept", body=f"Do it, for {offers[chosen].price} euros.")
        )
        yield message.reply(body=f"{chosen} did it for {offers[chosen].price} euros: {report.body}")


def market(voice: Callable[[str], Voice]) -> GenNetwork:
    """A manager and four contractors.

    Args:
        voice: what an agent speaks with, by its id.
    """

    def contractor(id: str, trade: str, least: int, manner: str, promise: str) -> Contractor:
        return Contractor(id=id, voice=voice(id), trade=trade, least=least, manner=manner, promise=promise)

    return GenNetwork(
        id="market",
        agents=[
            Manager(id="manager", voice=voice("manager")),
            contractor("anna", "repair", 20, "quick and cheap", "today, because I am quick"),
            contractor("bob", "repair", 40, "careful and expensive", "well, because I take my time"),
            contractor("carla", "painting", 30, "neat", "and give it a new colour"),
            contractor("dora", "translation", 30, "exact", "in three languages"),
        ],
    )


def script(request: Request) -> Line:
    """What a scripted model says in this demo: a line for each question. For tests, and where no model is."""
    lines = {
        OFFER: ("I can do it today, because I am quick.", "I can do it well, because I take my time."),
        REPORT: ("I took it apart, found the fault and put it together.", "I did it twice, to be sure that it holds."),
    }.get(request.turns[0].text)
    if request.turns[0].text == SORT:
        kind = next((trade for trade in TRADES if trade in request.turns[-1].text.lower()), TRADES[0])
        return json.dumps({"choice": kind})
    return Random(repr(request)).choice(lines) if lines else improvise(request)
