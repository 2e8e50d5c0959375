"""An agent that answers in a model's words and remembers what was said. Knows neither providers nor runtimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from inspect import getdoc, isawaitable
from typing import Any, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import to_json

from llm_net.base import GenAgent
from llm_net.chat import Completion, Request, Settings, TextDelta, Tool, ToolCall, ToolResult, Turn, system, user
from llm_net.dispatch import handles
from llm_net.errors import (
    AgentFailed,
    CallTimeout,
    Deadlock,
    DeliveryError,
    InvalidArguments,
    InvalidOutput,
    NotHandling,
    Unanswered,
)
from llm_net.message import Message
from llm_net.ports import Model
from llm_net.schema import Function, function

TOLD = frozenset((
    "accept", "agree", "cancel", "error", "failure", "info", "inform", "log", "refuse", "reject", "response", "tell",
    "warn",
))  # fmt: skip
"""Verbs that want no answer: whoever sends one does not wait. Source: FIPA SC00037J, communicative acts."""

FOR_THE_MODEL = (ValueError, InvalidArguments, DeliveryError, AgentFailed, CallTimeout, Deadlock, Unanswered)
"""What can go wrong with a function call that the model may mend: it is told the sentence and goes on."""


class Assistant(GenAgent):
    """An agent whose words are a model's, and who remembers each conversation.

    It answers "ask", "chat", "query" and "request". On the way the model may write to the other members of the network,
    by function call: a message to whoever asked is the answer; one to anybody else is sent, and its reply is what the
    function gives; those of one turn are asked at once. Words are the answer where no function is called. While it is
    being written each piece is an event "delta".

    Args:
        model: whose words they are; it is neither saved nor closed with the agent.
        instructions: what the model is told before each conversation.
        tools: plain or async functions that the model may call besides; their annotations say what they take, their
            docstrings what they do. A ValueError tells the model what is wrong; anything else fails the agent.
        writes: the messages that the model may write, by their names in `network.init_fns`; None for all of them.
        settings: how the model decodes.
        history: turns of a conversation that the model is shown and the agent keeps; at least the latest exchange.
        conversations: conversations that are kept; the one that was quiet longest is forgotten first.
        rounds: calls of the model for one answer; then the agent fails with InvalidOutput.
        patience: seconds to wait for another agent's reply; None for as long as the run lasts.
        chats: what was said, by conversation.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    description: str = "Answers in words"
    model: Model = Field(exclude=True, repr=False)
    instructions: str = "You are a helpful assistant."
    tools: Sequence[Callable[..., object]] = Field(default=(), exclude=True, repr=False)
    writes: tuple[str, ...] | None = None
    settings: Settings = Settings()
    history: int = Field(default=20, ge=1)
    conversations: int = Field(default=100, ge=1)
    rounds: int = Field(default=8, ge=1)
    patience: float | None = Field(default=120.0, gt=0)
    chats: SkipJsonSchema[dict[str, list[Turn]]] = Field(default={}, repr=False)

    @handles("ask", "chat", "query", "request")
    async def areply(self, message: Message) -> Message | list[Message]:
        """Answer a message in the model's words, or by the messages to its sender that the model wrote.

        Raises:
            InvalidOutput: there was no answer after `rounds` calls of the model.
            ModelError, LimitReached: as `complete` and `stream` do.
        """
        turns = self._remember(message)
        problem = "the model went on calling functions"
        for _ in range(self.rounds):
            turns = _latest(turns, self.history)
            completion = await self._complete(turns, message)
            turns.append(completion.turn)
            results = [await self._do(call, message) for call in completion.tool_calls]
            answers = [
                result for result in results if isinstance(result, Message) and result.receiver == message.sender
            ]
            replies = await self._ask(
                [result for result in results if isinstance(result, Message) and result not in answers]
            )
            for call, result in zip(completion.tool_calls, results, strict=True):
                told = replies.get(result, "sent") if isinstance(result, Message) else result
                if failed := isinstance(told, Exception):
                    told = problem = _sentence(told)
                turns.append(Turn("tool", (ToolResult(call.id, call.name, told, failed),)))
            if answers or not completion.tool_calls:
                self._keep(message, turns)
                return answers or message.reply(body=completion.text)
        raise InvalidOutput(
            self.model.name,
            f"no answer after {self.rounds} calls: {problem}; allow more `rounds`, or use a larger model",
        )

    @handles("info", "inform", "tell")
    def note(self, message: Message) -> None:
        """Remember what one is told, without an answer."""
        self._keep(message, self._remember(message))

    # ------------------------------------------------------------------------------------------ the model

    async def _complete(self, turns: Sequence[Turn], message: Message) -> Completion:
        instructions = self.instructions
        functions = [_declaration(tool) for tool in self.tools]
        if messages := self._messages():
            functions += messages
            others = [agent for agent in self.network if agent is not self and agent.receivable_messages]
            instructions += f" You can write to {'; '.join(_introduction(agent) for agent in others)}."
        tools = [Tool(f["name"], f["description"], f["parameters"], f["strict"]) for f in functions]
        request = Request([system(instructions), *turns], tools=tools, settings=self.settings)
        completion: Completion | None = None
        # What `stream` gives is an async generator: closed at once, it stops the model at once.
        async with aclosing(self.stream(self.model, request)) as chunks:
            async for chunk in chunks:
                match chunk:
                    case TextDelta(text) if self.listened("delta"):
                        self.emit(Message(method="delta", body=text, reply_to=message))
                    case Completion():
                        completion = chunk
        if completion is None:
            raise InvalidOutput(self.model.name, "its stream ended without a Completion")
        return completion

    async def _do(self, call: ToolCall, message: Message) -> str | Message | Exception:
        """What a function gives, or what the model did wrong; or the message written by it that wants an answer, or is one."""
        try:
            return await self._call(call, message)
        except FOR_THE_MODEL as error:
            return error

    async def _call(self, call: ToolCall, message: Message) -> str | Message:
        arguments = call.arguments or "{}"
        tools = {tool.__name__: tool for tool in self.tools}
        if (tool := tools.get(call.name)) is not None:
            value = _arguments(tool).validate_json(arguments)
            return _in_words(await value if isawaitable(value) else value)
        messages = [function["name"] for function in self._messages()]
        if call.name not in messages:
            known = ", ".join([*tools, *messages]) or "none"
            raise InvalidArguments(call.name, (f"There is no such function; there are {known}",))
        written = self.network.message_from(arguments, name=call.name, sender=self, answering=message)
        if written.receiver != message.sender and written.method in TOLD:
            await self.send(written)
            return "sent"
        return written

    async def _ask(self, messages: list[Message]) -> dict[Message, str | Exception]:
        """Ask others, all at once: what each says, or why it says nothing."""
        told: dict[Message, str | Exception] = {
            asked: CallTimeout(asked.receiver.id if asked.receiver else "", asked.method, self.patience or 0.0)
            for asked in messages
        }
        failures: dict[Message, BaseException] = {}
        try:
            replies = await self.gather(messages, timeout=self.patience, failures=failures)
        except FOR_THE_MODEL as error:  # all of them wait for each other
            return dict.fromkeys(messages, error)
        told.update((reply.reply_to, _said(reply)) for reply in replies if reply.reply_to is not None)
        for asked, failure in failures.items():
            if not isinstance(failure, FOR_THE_MODEL):
                raise failure
            told[asked] = failure
        return told

    def _messages(self) -> list[Function]:
        """What the model may write to others now."""
        try:
            offered = self.network.init_fns(self)
        except NotHandling:  # it runs alone
            return []
        taken = {tool.__name__ for tool in self.tools}
        wanted = {declared["name"] for declared in offered} if self.writes is None else set(self.writes)
        return [declared for declared in offered if declared["name"] in wanted - taken]

    # ------------------------------------------------------------------------------------------ the memory

    def _remember(self, message: Message) -> list[Turn]:
        """The conversation with this message as its latest turn."""
        return [*self.chats.get(message.conversation, ()), user(_said(message))]

    def _keep(self, message: Message, turns: list[Turn]) -> None:
        self.chats.pop(message.conversation, None)
        self.chats[message.conversation] = _latest(turns, self.history)
        while len(self.chats) > self.conversations:
            del self.chats[next(iter(self.chats))]


def _latest(turns: list[Turn], count: int) -> list[Turn]:
    """The last turns, beginning with one from the others: a result without its call means nothing to a model."""
    beginnings = [index for index, turn in enumerate(turns) if turn.role == "user"]
    return turns[next((index for index in beginnings if len(turns) - index <= count), beginnings[-1]) :]


def _introduction(agent: GenAgent) -> str:
    return f"{agent.id} ({agent.description.partition(chr(10))[0].rstrip('.')})" if agent.description else agent.id


def _arguments(tool: Callable[..., object]) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, tool))  # which takes a function as well: its arguments are checked, then it is called


def _declaration(tool: Callable[..., object]) -> Function:
    return function(tool.__name__, getdoc(tool) or tool.__name__, _arguments(tool).json_schema())


def _said(message: Message) -> str:
    """What a message says, in words where it has nothing else."""
    content = message.content()
    return message.body if content.keys() <= {"body"} else _in_words(content)


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else to_json(value, fallback=str).decode()


def _sentence(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return " ".join(f"{'.'.join(map(str, wrong['loc'])) or 'The whole'}: {wrong['msg']}." for wrong in error.errors())
