"""Agents ask models that they bring, or borrow from here. Knows only scripted ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from pydantic import Field

from llm_net.base import GenAgent, GenNetwork
from llm_net.chat import Price, Request, TextDelta, Usage, user
from llm_net.errors import InvalidOutput, ModelError
from llm_net.llm.scripted import ScriptedModel
from llm_net.message import Message
from llm_net.testing.runtime.agents import Notes
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Reader(GenAgent):
    """Asks models, whole and in pieces."""

    model: Any = Field(exclude=True, repr=False)
    lines: list[str] = []
    asked_twice: bool = False

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        whole = await self.complete(self.model, Request((user(message.body),)))
        self.lines.append(f"{whole.text} {whole.usage.tokens}")
        pieces: list[str] = []
        async for chunk in self.stream(self.model, Request((user("again and again"),))):
            if isinstance(chunk, TextDelta):
                pieces.append(chunk.text)
                self.emit("piece", Message(body=chunk.text))
            else:
                self.lines.append(chunk.text)
        self.lines.append("|".join(pieces))
        for request in ("fail", "invalid"):
            try:
                await self.complete(self.model, Request((user(request),)))
            except ModelError as error:
                self.lines.append(f"{type(error).__name__} {error.problem}")
        try:
            async for _ in self.stream(self.model, Request((user("fail"),))):
                pass
        except ModelError as error:
            self.lines.append(f"{type(error).__name__} {error.problem}")
        found = await self.model.embed(["one", "two"])
        self.lines.append(f"{len(found.vectors)} {len(found.vectors[0])} {self.model.name}")
        own = await self.model.complete(Request((user("not on account"),)))
        self.lines.append(own.text)
        yield message.reply(body=str(len(self.lines)))


def _answer_to(request: Request) -> str | ModelError:
    said = request.turns[-1].text
    if said == "fail":
        return ModelError("scripted", "as written")
    if said == "invalid":
        return InvalidOutput("scripted", "as written", Usage(1, 0, 2, Decimal("0.1")))
    return f"about {said}: {len(request.turns)} turns"


def make_model() -> ScriptedModel:
    return ScriptedModel([_answer_to], cycle=True, price=Price(Decimal(100), Decimal(200)))


class Brings(Reader):
    """Makes its model where it runs."""

    model: Any = Field(default=None, exclude=True, repr=False)

    async def astart(self) -> None:
        self.model = make_model()

    async def astop(self) -> None:
        self.model = None


async def check_models(place: Place) -> None:
    def borrows() -> GenNetwork:
        return GenNetwork(
            id="net",
            agents=[Reader(id="reader", model=make_model()), Notes(id="notes")],
            links=[("reader", "piece", "notes")],
        )

    def brings() -> GenNetwork:
        return GenNetwork(
            id="net", agents=[Brings(id="reader"), Notes(id="notes")], links=[("reader", "piece", "notes")]
        )

    for build in (borrows, brings):
        played = await same(place, build, *(Message(receiver="reader", body=body) for body in ("bees", "tea")))
        equal(played.error, None, "what ended the run")
        assert played.run.usage.tokens > 0, "the run's usage is not counted"
        assert played.run.usage.cost, "what models cost is not counted"
    model = make_model()
    shared = [Reader(id=f"r{n}", model=model) for n in range(4)]
    await place.play(GenNetwork(id="net", agents=shared), *(Message(receiver=f"r{n}") for n in range(4)))
    equal({id(reader.model) for reader in shared}, {id(model)}, "the models of agents after the run")
    equal(len(model.requests), 4 * 6, "how often one model of several agents was asked")
