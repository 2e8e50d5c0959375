"""A run as spans, in the JSON that OpenTelemetry collectors take. Knows facts, no journal and no OpenTelemetry library.

The run is a span, each step one within that of the step that caused it, each call of a model or other effect one within its
step. Ids are derived from the run and the step, so that a run that was exported twice is there once.

Source: OTLP 1.9, https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hex, 64-bit integers as strings);
names of attributes: the semantic conventions for generative AI, 1.41,
https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from llm_net import __version__
from llm_net.chat import Image, Part, Text, ToolCall, ToolResult, Turn
from llm_net.journal.prompt import prompt_of
from llm_net.journal.said import party
from llm_net.record import Begun, Effect, Ended, Fact, Finished, Sent
from llm_net.record import Part as Piece

SCHEMA: Final = "https://opentelemetry.io/schemas/1.41.0"

INTERNAL, CLIENT = 1, 3
"""Kinds of spans."""

FAILED: Final = 2
"""The status of a span."""

Attributes: TypeAlias = dict[str, str | int | float | bool | list[str]]


@dataclass(slots=True)
class _Step:
    """What is known of a step."""

    began: float
    at: float = 0.0
    end: Ended | None = None
    failed: list[Ended] = field(default_factory=list)


class Spans:
    """Collects the facts of one run, and makes spans of them.

    Args:
        contents: whether what models were asked and what they answered goes along.
    """

    def __init__(self, run: str, *, contents: bool) -> None:
        self._run = run
        self._contents = contents
        self._begun: Begun | None = None
        self._finished: Finished | None = None
        self._last = 0.0
        self._sent: dict[int, Sent] = {}
        self._steps: dict[int, _Step] = {}
        self._effects: list[Effect] = []
        self._pieces: dict[str, bytes] = {}

    def add(self, fact: Fact) -> None:
        """Take note of one more fact, in order."""
        if isinstance(fact, Piece):
            self._pieces[fact.hash] = fact.data
            return
        self._last = max(self._last, fact.at)
        match fact:
            case Begun():
                self._begun = self._begun or fact
                self._finished = None
            case Sent():
                self._sent[fact.number] = fact
                self._did(fact.step, fact.at, fact.at)
            case Ended(turn=turn) if turn:
                step = self._did(fact.number, fact.began, fact.at)
                step.end = fact
                if fact.end == "retried":
                    step.failed.append(fact)
            case Effect() if fact.status != "intent" and fact.kind in ("model", "effect", "delay"):
                self._effects.append(fact)
                self._did(fact.step, fact.began, fact.at)
            case Finished():
                self._finished = fact
            case _:
                pass

    def _did(self, number: int, began: float, at: float) -> _Step:
        """Something is known of a step."""
        step = self._steps.setdefault(number, _Step(began))
        step.began, step.at = min(step.began, began), max(step.at, at)
        return step

    def json(self) -> dict[str, JsonValue]:
        """An `ExportTraceServiceRequest`."""
        spans = [self._run_span()]
        spans += [self._step_span(number, step) for number, step in self._steps.items() if number]
        spans += [self._effect_span(effect) for effect in self._effects]
        network = "" if self._begun is None else self._begun.network
        return {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes({"service.name": network or "llm_net"})},
                    "scopeSpans": [
                        {"scope": {"name": "llm_net", "version": __version__}, "spans": spans, "schemaUrl": SCHEMA}
                    ],
                    "schemaUrl": SCHEMA,
                }
            ]
        }

    # ------------------------------------------------------------------------------------------ spans

    def _run_span(self) -> JsonValue:
        begun, finished = self._begun, self._finished
        network = "" if begun is None else begun.network
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": network,
            "llm_net.run": self._run,
            "llm_net.status": "" if finished is None else finished.status,
        }
        if begun is not None and begun.parent is not None:
            attributes["llm_net.parent"] = begun.parent
        return self._span(
            f"invoke_workflow {network}", (), None, 0.0 if begun is None else begun.at, self._last, attributes,
            error=finished.error if finished is not None and finished.status in ("failed", "limited") else "",
        )  # fmt: skip

    def _step_span(self, number: int, step: _Step) -> JsonValue:
        sent, end = self._sent.get(number), step.end
        agent = self._party(end.agent if end is not None else "" if sent is None else sent.receiver)
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent.rpartition("/")[2],
            "gen_ai.agent.id": agent,
            "llm_net.step": number,
        }
        if sent is not None:
            attributes |= {
                "gen_ai.conversation.id": sent.conversation,
                "llm_net.message.id": sent.id,
                "llm_net.message.method": sent.event or sent.method,
                "llm_net.message.sender": self._party(sent.sender),
            }
        if end is not None:
            attributes |= {"llm_net.turn": end.turn, "llm_net.end": end.end}
        tries: list[JsonValue] = [
            {"timeUnixNano": _nanos(each.at), "name": "retried", "attributes": _attributes({"error": each.error})}
            for each in step.failed
        ]
        error = "" if end is None or end.end == "handled" else end.error
        cause = (sent.step,) if sent is not None and sent.step in self._steps and sent.step else ()
        return self._span(
            f"invoke_agent {agent}", (number,), cause, step.began, step.at, attributes, error=error, events=tries
        )

    def _effect_span(self, effect: Effect) -> JsonValue:
        sent = self._sent.get(effect.step)
        attributes: Attributes = {"llm_net.step": effect.step, "llm_net.repeats": effect.repeats}
        if sent is not None:
            attributes["gen_ai.conversation.id"] = sent.conversation
            attributes["gen_ai.agent.id"] = self._party(sent.receiver)
        match effect.kind:
            case "model":
                attributes |= self._of_model(effect)
                name, kind = f"chat {effect.name}", CLIENT
            case "delay":
                name, kind = "delay", INTERNAL
            case _:
                attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": effect.name}
                attributes["gen_ai.tool.type"] = "function"
                if self._contents and effect.status == "done":
                    attributes["gen_ai.tool.call.result"] = effect.answer.decode()
                name, kind = f"execute_tool {effect.name}", INTERNAL
        return self._span(
            name, (effect.step, effect.n), (effect.step,), effect.began, effect.at, attributes,
            kind=kind, error=_error(effect),
        )  # fmt: skip

    def _of_model(self, effect: Effect) -> Attributes:
        prompt = prompt_of(effect, self._pieces)
        provider, colon, model = effect.name.partition(":")
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider if colon else "_OTHER",
            "gen_ai.request.model": model if colon else effect.name,
            "gen_ai.usage.input_tokens": effect.input_tokens,
            "gen_ai.usage.output_tokens": effect.output_tokens,
        }
        for name in ("temperature", "max_tokens", "seed"):
            if (value := (prompt.settings or {}).get(name)) is not None:
                attributes[f"gen_ai.request.{name}"] = value
        if prompt.model:
            attributes["gen_ai.response.model"] = prompt.model
        if prompt.finish:
            attributes["gen_ai.response.finish_reasons"] = [_FINISHES.get(prompt.finish, prompt.finish)]
        if effect.cost is not None:
            attributes["llm_net.usage.cost_usd"] = float(effect.cost)
        if self._contents:
            turns = [turn for turn in prompt.turns if turn is not None]
            instructions = [part for turn in turns if turn.role == "system" for part in turn.parts]
            attributes["gen_ai.input.messages"] = _json([_message(turn) for turn in turns if turn.role != "system"])
            if instructions:
                attributes["gen_ai.system_instructions"] = _json([_part(part) for part in instructions])
            if prompt.answer is not None:
                finish = _FINISHES.get(prompt.finish, prompt.finish)
                attributes["gen_ai.output.messages"] = _json([{**_message(prompt.answer), "finish_reason": finish}])
        return attributes

    def _party(self, address: str) -> str:
        return party(address, "" if self._begun is None else self._begun.network)

    def _span(
        self,
        name: str,
        place: tuple[int, ...],
        parent: tuple[int, ...] | None,
        began: float,
        at: float,
        attributes: Attributes,
        *,
        kind: int = INTERNAL,
        error: str = "",
        events: Sequence[JsonValue] = (),
    ) -> JsonValue:
        span: dict[str, JsonValue] = {
            "traceId": blake2b(self._run.encode(), digest_size=16).hexdigest(),
            "spanId": self._id(place),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": _nanos(began),
            "endTimeUnixNano": _nanos(max(began, at)),
        }
        if parent is not None:
            span["parentSpanId"] = self._id(parent)
        if error:
            attributes["error.type"] = error.partition(":")[0]
            span["status"] = {"code": FAILED, "message": error}
        span["attributes"] = _attributes(attributes)
        if events:
            span["events"] = [*events]
        return span

    def _id(self, place: tuple[int, ...]) -> str:
        return blake2b("/".join([self._run, *map(str, place)]).encode(), digest_size=8).hexdigest()


_FINISHES: Final = {"tools": "tool_call", "refusal": "content_filter"}
"""Why an answer ended, in the words of the conventions; others are the same."""


def _error(effect: Effect) -> str:
    if effect.status != "failed" or not effect.answer:
        return ""
    error: Mapping[str, Any] = from_json(effect.answer)
    return f"{str(error['kind']).rpartition(':')[2]}: {error['text']}"


def _message(turn: Turn) -> dict[str, JsonValue]:
    return {"role": turn.role, "parts": [_part(part) for part in turn.parts]}


def _part(part: Part) -> JsonValue:
    match part:
        case Text(text=text):
            return {"type": "text", "content": text}
        case Image(data=data, media_type=media_type):
            return {"type": "blob", "modality": "image", "mime_type": media_type, "size": len(data)}
        case ToolCall(id=id, name=name, arguments=arguments):
            return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}
        case ToolResult(id=id, content=content):
            return {"type": "tool_call_response", "id": id, "response": content}


def _attributes(values: Mapping[str, str | int | float | bool | list[str]]) -> list[JsonValue]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | float | bool | list[str]) -> JsonValue:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [{"stringValue": each} for each in value]}}


def _nanos(seconds: float) -> str:
    return str(round(seconds * 1_000_000) * 1_000)


def _json(value: object) -> str:
    return to_json(value).decode()
