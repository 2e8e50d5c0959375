"""Agents that take part in any conversation with rules: in a model's words, or in a person's. Knows no particular rules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from inspect import getdoc
from typing import cast

from pydantic import Field, JsonValue

from llm_net.base import GenAgent, first_paragraph
from llm_net.chat import Output, Request, Settings, Turn, assistant, system, user
from llm_net.dispatch import handles
from llm_net.errors import InvalidArguments, InvalidOutput
from llm_net.message import Message
from llm_net.ports import Model
from llm_net.protocols.acts import Agree, NotUnderstood
from llm_net.protocols.interaction import InteractionProtocol, answer_fn
from llm_net.protocols.rules import Standing, standing_in
from llm_net.schema import Function, JsonSchema

ACT = "act"
"""The property of an answer that says which of the allowed messages it is."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may be said.

    Args:
        function: how it is declared to a model.
        asks: the properties that are worth a question: those of its own, else the body.
    """

    function: Function
    asks: Mapping[str, JsonSchema]

    @classmethod
    def of(cls, kind: type[Message], function: Function) -> Option:
        """A message class that may be said, as it was declared just now."""
        properties = cast(dict[str, JsonSchema], function["parameters"].get("properties", {}))
        own = {name: schema for name, schema in properties.items() if name not in Message.model_fields}
        return cls(function, own or {"body": properties["body"]})


class Participant(GenAgent):
    """Answers each message of a conversation by one of those that its rules allow; subclasses say how it is chosen.

    What the rules do not know is answered in words. Where nothing may be said, nothing is.

    Args:
        tries: how often an answer may be wrong before the conversation's fallback is said instead.
    """

    tries: int = Field(default=3, ge=1)

    @handles(Message)
    async def aanswer(self, message: Message) -> AsyncIterator[Message]:
        """Answer as the rules allow; who agrees to do something goes on to say what came of it.

        Raises:
            InvalidOutput: no answer was right, and nothing may be said instead.
        """
        network = self.network
        rules = network.rules if isinstance(network, InteractionProtocol) else ()
        standing = standing_in(rules, message)
        if standing is None or standing.speaker(self) is None:
            said: Message | None = await self._in_words(message)
        else:
            said = await self._answer(message, standing)
        while said is not None:
            yield said
            agreed = standing_in(rules, said) if isinstance(said, Agree) else None
            said = None if agreed is None else await self._answer(said, agreed)

    async def _in_words(self, message: Message) -> Message:
        return message.reply(body=await self.speak(answering=message))

    async def _answer(self, message: Message, standing: Standing) -> Message | None:
        """What is said after a message; None where nothing may be."""
        kinds = {kind.function_name(): kind for kind in standing.allowed(self) if kind is not NotUnderstood}
        if not kinds:
            return None
        other = standing.other(self)
        options = {name: Option.of(kind, answer_fn(kind, other, message)) for name, kind in kinds.items()}
        problem = ""
        for _ in range(self.tries):
            try:
                name, arguments = await self.choose(options, answering=message, problem=problem)
                return self.network.message_from(arguments, name=name, sender=self, answering=message)
            except (InvalidArguments, InvalidOutput) as invalid:
                problem = str(invalid)
        for kind in standing.rules.fallback:
            if kind in kinds.values():
                return kind(sender=self, receiver=other, reply_to=message, body="I have nothing better to say.")
        raise InvalidOutput(self.id, f"no right answer after {self.tries} tries: {problem}")

    async def choose(
        self, options: Mapping[str, Option], *, answering: Message, problem: str = ""
    ) -> tuple[str, dict[str, JsonValue]]:
        """The name of one of the options, and its arguments.

        Args:
            options: what may be said, by name.
            answering: the message that is answered.
            problem: what was wrong with the last answer; "" the first time.

        Raises:
            InvalidArguments: what was chosen is none of them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it chooses; define `async def choose`")

    async def speak(self, *, answering: Message) -> str:
        """An answer in words, where there are no rules."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it says; define `async def speak`")


class Voice(Participant):
    """Takes part in a model's words, which cannot break the rules: they are decoded under the schema of what is allowed.

    The model is shown the messages of the thread that this agent sent or received, and remembers nothing else.

    Args:
        model: whose words they are; it is neither saved nor closed with the agent.
        instructions: who it is and what it wants, in few words.
        settings: how the model decodes.
        stepwise: ask for one thing at a time: which message, then each of its fields. Small models choose better so.
        history: messages of the thread that the model is shown.
    """

    model: Model = Field(exclude=True, repr=False)
    instructions: str = "You take part in a conversation."
    settings: Settings = Settings(max_tokens=200)
    stepwise: bool = False
    history: int = Field(default=8, ge=1)

    async def choose(
        self, options: Mapping[str, Option], *, answering: Message, problem: str = ""
    ) -> tuple[str, dict[str, JsonValue]]:
        turns = self._turns(answering, problem)
        if self.stepwise:
            return await self._step_by_step(turns, options)
        schemas: list[JsonValue] = [_with_act(option.function) for option in options.values()]
        schema: JsonSchema = cast(JsonSchema, schemas[0]) if len(schemas) == 1 else {"anyOf": schemas}
        written = _object(await self._complete(turns, Output(schema)))
        name = written.pop(ACT, None)
        if not isinstance(name, str) or name not in options:
            raise InvalidArguments("answer", (f"{ACT} must be one of {', '.join(options)}",))
        return name, written

    async def speak(self, *, answering: Message) -> str:
        return (await self._complete(self._turns(answering, ""), None)).strip()

    async def _step_by_step(self, turns: list[Turn], options: Mapping[str, Option]) -> tuple[str, dict[str, JsonValue]]:
        name = next(iter(options))
        if len(options) > 1:
            told = "; ".join(f"{name}: {option.function['description']}" for name, option in options.items())
            name = str(await self._one(turns, f"What do you do? {told}", ACT, {"type": "string", "enum": [*options]}))
        arguments: dict[str, JsonValue] = {}
        for field, schema in options[name].asks.items():
            if field == "body" and "enum" not in schema:
                arguments[field] = await self._in_a_line(turns, options[name].function["description"])
            else:
                arguments[field] = await self._one(turns, f"{name}: {schema.get('description', field)}?", field, schema)
        return name, arguments

    async def _in_a_line(self, turns: list[Turn], question: str) -> str:
        asked = [*turns[:-1], user(f"{turns[-1].text}\n{question}")]
        return (await self._complete(asked, None, stop=("\n",))).strip()

    async def _one(self, turns: list[Turn], question: str, name: str, schema: JsonSchema) -> JsonValue:
        """The value of one property, alone: a name that tells is part of the question for a small model."""
        form: JsonSchema = {
            "type": "object",
            "properties": {name: schema},
            "required": [name],
            "additionalProperties": False,
        }
        asked = [*turns[:-1], user(f"{turns[-1].text}\n{question}")]
        return _object(await self._complete(asked, Output(form, name)))[name]

    async def _complete(self, turns: list[Turn], output: Output | None, *, stop: tuple[str, ...] = ()) -> str:
        settings = replace(self.settings, stop=self.settings.stop + stop)
        if settings.seed is None:
            settings = replace(settings, seed=self.random.getrandbits(31))  # the same again under the run's seed
        return (await self.complete(self.model, Request(turns, output=output, settings=settings))).text

    def _turns(self, message: Message, problem: str) -> list[Turn]:
        mine = [each for each in message.thread() if self in (each.sender, each.receiver)][-self.history :]
        turns = [system(self.instructions)]
        for each in mine:
            turns.append(assistant(in_words(each)) if each.sender == self else user(in_words(each)))
        if message.sender == self:
            turns.append(user("You have said that. Now do it, and say what came of it."))
        if problem:
            turns[-1] = user(f"{turns[-1].text}\nYour last answer was wrong. {problem}")
        return turns


class Person(Participant):
    """Takes part in the words of somebody who is asked at a console, or wherever `read` asks.

    In a recorded run the answers are kept: nobody is asked twice.

    Args:
        read: shows a text and gives the line that was typed; it may take as long as it takes, and runs in a thread.
    """

    read: Callable[[str], str] = Field(default=input, exclude=True, repr=False)

    async def choose(
        self, options: Mapping[str, Option], *, answering: Message, problem: str = ""
    ) -> tuple[str, dict[str, JsonValue]]:
        told = in_words(answering) + (f"\n{problem}" if problem else "")
        name = next(iter(options))
        if len(options) > 1:
            name = await self._read(f"{told}\n{', '.join(options)}? ")
            told = ""
        if name not in options:
            raise InvalidArguments("answer", (f"It must be one of {', '.join(options)}",))
        arguments: dict[str, JsonValue] = {}
        for field, schema in options[name].asks.items():
            line = await self._read(f"{told}\n{field}{_choices(schema)}? ".lstrip("\n"))
            told = ""
            arguments[field] = _value(line, schema)
        return name, arguments

    async def speak(self, *, answering: Message) -> str:
        return await self._read(f"{in_words(answering)}\n> ")

    async def _read(self, text: str) -> str:
        async def ask() -> str:
            return await asyncio.to_thread(self.read, text)

        return (await self.effect("ask a person", ask, repeats="pure", returns=str)).strip()


def in_words(message: Message) -> str:
    """A message as a reader sees it: what its kind does, what it says, and its fields, a line each."""
    content = message.content()
    body = str(content.pop("body", ""))
    told = first_paragraph(getdoc(type(message))) if type(message) is not Message else ""
    lines = [line for line in (told, body) if line]
    lines += [f"{name}: {_plain(value)}" for name, value in content.items() if value not in (None, "", (), [], {})]
    return "\n".join(lines) or message.method


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_plain(each) for each in value)
    return str(value)


def _properties(declared: Function) -> dict[str, JsonSchema]:
    """The properties that a participant writes: who receives it is known."""
    properties = cast(dict[str, JsonSchema], declared["parameters"].get("properties", {}))
    return {name: schema for name, schema in properties.items() if name != "receiver"}


def _with_act(declared: Function) -> JsonSchema:
    properties = _properties(declared)
    required = [name for name in cast(list[str], declared["parameters"].get("required", [])) if name in properties]
    schema: JsonSchema = {
        **declared["parameters"],
        "description": declared["description"],
        "properties": {ACT: {"type": "string", "const": declared["name"]}, **properties},
        "required": [ACT, *required],
    }
    return schema


def _object(text: str) -> dict[str, JsonValue]:
    try:
        written = json.loads(text)
    except ValueError as invalid:
        raise InvalidArguments("answer", (f"It is no JSON: {invalid}",)) from None
    if not isinstance(written, dict):
        raise InvalidArguments("answer", ("It must be an object",))
    return cast(dict[str, JsonValue], written)


def _choices(schema: JsonSchema) -> str:
    """The choices, where they fit on a line."""
    choices = schema.get("enum")
    told = f" ({', '.join(map(str, choices))})" if isinstance(choices, list) else ""
    return told if len(told) <= 120 else ""


def _value(line: str, schema: JsonSchema) -> JsonValue:
    """What a person typed: words where words are wanted, else JSON where it is some."""
    if not line:
        return None
    kinds = schema.get("type")
    if kinds == "string" or (isinstance(kinds, list) and "string" in kinds):
        return line
    try:
        return cast(JsonValue, json.loads(line))
    except ValueError:
        return [part.strip() for part in line.split(",")] if kinds == "array" else line
