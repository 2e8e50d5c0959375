"""One call of a provider's model through pydantic-ai's `direct` API; the only file that imports pydantic-ai.

Knows no agent: one request in, one answer out, and every error as one of ours.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from itertools import groupby
from typing import Literal, get_args
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from llm_net.chat import (
    Chunk,
    Completion,
    Embeddings,
    Image,
    Output,
    Part,
    Price,
    Request,
    Settings,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    estimate_tokens,
)
from llm_net.errors import (
    ContextTooLong,
    MissingDependency,
    ModelError,
    ModelUnavailable,
    RateLimited,
)
from llm_net.llm.answer import check_answer, check_request, deadline, in_time, late
from llm_net.llm.text import Cut, clean

try:
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price
    from pydantic_ai import exceptions as ai_errors
    from pydantic_ai import messages as ai
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.embeddings import EmbeddingModel, infer_embedding_model
    from pydantic_ai.models import KnownModelName, Model, ModelRequestParameters, infer_model
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.providers import Provider, infer_provider_class
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.usage import RequestUsage
except ImportError as error:
    raise MissingDependency("pydantic-ai-slim", "ai", "a model of a provider") from error

_FIELD = "answer"
_DEFINITIONS = ("$defs", "definitions")
_THOUSAND = 1000


class DirectModel:
    """What `ProviderModel` promises, kept: see there."""

    def __init__(
        self,
        model: str | Model,
        *,
        base_url: str | None,
        api_key: str | None,
        price: Price | None,
        embedder: str | None,
    ) -> None:
        # A server of one's own knows its models by its own names.
        self._model = model.removeprefix("openai:") if isinstance(model, str) and base_url is not None else model
        self._base_url = base_url
        self._api_key = api_key
        self._embedder = embedder
        self._name = model if isinstance(model, str) else model.model_id
        # A connection belongs to the event loop that opened it, so each loop has a client of its own.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Model] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._first: Model | None = self._build()
        self._price = price or _known_price(self._first)
        self._given_price = price

    @property
    def name(self) -> str:
        return self._name

    @property
    def price(self) -> Price | None:
        return self._price

    async def complete(self, request: Request) -> Completion:
        check_request(request, self._name)
        model = self._client()
        form = _Form(request, model)
        with self._translated(request):
            response = await model_request(
                model, self._messages(request), model_settings=form.settings, model_request_parameters=form.parameters
            )
        cut = Cut(request.settings.stop)
        return self._completion(request, form, response, cut, cut.push(form.text(response)) + cut.end())

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        check_request(request, self._name)
        model = self._client()
        form = _Form(request, model)
        cut = Cut(request.settings.stop)
        shown: list[str] = []
        begun = False
        with self._translated(request):
            async with model_request_stream(
                model, self._messages(request), model_settings=form.settings, model_request_parameters=form.parameters
            ) as stream:
                async for event in stream:
                    if form.direct and (added := _added(event)):
                        begun = True
                        if text := cut.push(added):
                            shown.append(text)
                            yield TextDelta(text)
                response = stream.get()
        rest = ("" if begun else cut.push(form.text(response))) + cut.end()
        if rest:
            shown.append(rest)
            yield TextDelta(rest)
        yield self._completion(request, form, response, cut, "".join(shown))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if not texts:
            return Embeddings((), Usage(), self._name)
        request = Request([Turn("user", tuple(Text(clean(text)) for text in texts))], settings=Settings())
        with self._translated(request):
            asked = self._embedding_model().embed([clean(text) for text in texts], input_type="document")
            result = await in_time(asked, deadline(request), request, self._name)
        tokens = result.usage.input_tokens or estimate_tokens(request)
        try:
            cost: Decimal | None = result.cost().total_price
        except (LookupError, ValueError):
            cost = self._given_price.of(tokens, 0) if self._given_price is not None else None
        vectors = tuple(tuple(float(number) for number in vector) for vector in result.embeddings)
        return Embeddings(vectors, Usage(1, tokens, 0, cost), result.model_name)

    async def aclose(self) -> None:
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None and client is not self._model:
            async with client:  # on leaving, its provider closes the HTTP client that it made
                pass

    # ------------------------------------------------------------------------------------------ the client

    def _client(self) -> Model:
        loop = asyncio.get_running_loop()
        with self._lock:  # loops run in threads of their own
            client = self._clients.get(loop)
            if client is None:
                client, self._first = self._first or self._build(), None
                self._clients[loop] = client
            return client

    def _build(self) -> Model:
        if isinstance(self._model, Model):
            return self._model
        with self._explained():
            if self._base_url is None:
                return infer_model(self._model, self._provider)
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

            host = urlsplit(self._base_url).hostname or self._base_url
            provider = OpenAICompatibleProvider(host, base_url=self._base_url, api_key=self._api_key)
            return OpenAIChatModel(self._model, provider=provider)

    def _provider(self, name: str) -> Provider[object]:
        kind = infer_provider_class(name)
        if self._api_key is None:
            return kind()
        return kind(api_key=self._api_key)  # type: ignore[call-arg]  # those that take no key raise, and it is explained

    def _embedding_model(self) -> EmbeddingModel:
        client = self._client()
        if self._embedder is None and self._base_url is None:
            raise ModelError(self._name, "it has no embeddings; name a model that has: ProviderModel(…, embedder=…)")
        name = self._embedder or str(self._model)
        provider = client.provider
        if provider is None:
            raise ModelError(self._name, "its provider has no embeddings; use a model of one that has")
        if hasattr(provider.client, "max_retries"):
            provider.client.max_retries = 0  # the request has no setting for it, and nothing shall be retried unseen
        with self._explained():
            if self._base_url is None:
                return infer_embedding_model(f"{provider.name}:{name}", provider_factory=lambda _: provider)
            from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel

            return OpenAIEmbeddingModel(name, provider=provider)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Make what goes wrong before the first request a sentence with its cure."""
        try:
            yield
        except ImportError as error:
            raise ModelUnavailable(self._name, str(error)) from error
        except (ai_errors.UserError, ValueError, TypeError) as error:
            said = str(error)
            if (variable := re.search(r"Set the `(\w+)` environment variable", said)) is not None:
                what = "address" if variable[1].endswith("_URL") else "key"
                give = "base_url" if what == "address" else "api_key"
                said = f"it has no {what}; set {variable[1]} in the environment, or give {give}=…"
            elif said.startswith(("Unknown model", "Unknown provider")):
                near = get_close_matches(self._name, get_args(KnownModelName.__value__), n=2)
                said = f"there is no such model; write provider:name, such as {' or '.join(near) or 'openai:gpt-5'}"
            raise ModelError(self._name, said) from error

    # ------------------------------------------------------------------------------------------ the question

    def _messages(self, request: Request) -> list[ai.ModelMessage]:
        messages: list[ai.ModelMessage] = []
        for said, turns in groupby(request.turns, key=lambda turn: turn.role == "assistant"):
            if said:
                answers = [_answer_part(part) for turn in turns for part in turn.parts]
                messages.append(ai.ModelResponse(parts=[part for part in answers if part is not None]))
            else:
                messages.append(ai.ModelRequest(parts=[part for turn in turns for part in _request_parts(turn)]))
        return messages

    # ------------------------------------------------------------------------------------------ the answer

    def _completion(self, request: Request, form: _Form, response: ai.ModelResponse, cut: Cut, text: str) -> Completion:
        if response.finish_reason == "error" or response.state in ("incomplete", "interrupted"):
            raise ModelUnavailable(self._name, "the provider broke off its answer; try again")
        tools: list[Part] = [
            ToolCall(clean(call.tool_call_id), clean(call.tool_name), clean(call.args_as_json_str()))
            for call in response.tool_calls
            if not (form.mode == "tool" and form.output is not None)
        ]
        finish: Literal["stop", "length", "tools", "refusal"] = "stop"
        if response.finish_reason == "content_filter":
            finish = "refusal"
        elif tools:
            finish = "tools"
        elif response.finish_reason == "length" and not cut.stopped:
            finish = "length"
        usage = self._usage(request, response, text)
        parts: list[Part] = [Text(text)] if text else []
        return check_answer(request, Completion((*parts, *tools), usage, response.model_name or self._name, finish))

    def _usage(self, request: Request, response: ai.ModelResponse, text: str) -> Usage:
        spent: RequestUsage = response.usage
        inputs = spent.input_tokens or estimate_tokens(request)
        outputs = spent.output_tokens or len(text.encode()) // 3 + 1
        cost: Decimal | None = None
        if self._given_price is not None:
            cost = self._given_price.of(inputs, outputs)
        elif spent.input_tokens and spent.output_tokens:
            try:
                cost = response.cost().total_price
            except (LookupError, ValueError, AssertionError):
                cost = None  # nobody knows the price of this model
        return Usage(1, inputs, outputs, cost)

    @contextmanager
    def _translated(self, request: Request) -> Iterator[None]:
        """Make what pydantic-ai raises an error of ours."""
        try:
            yield
        except ai_errors.ModelRateLimitError as error:
            raise RateLimited(self._name, _said(error), error.retry_after) from error
        except (ai_errors.ModelRequestTimeout, ai_errors.ModelTimeoutError) as error:
            raise late(request, self._name) from error
        except ai_errors.ModelQuotaExceededError as error:
            raise ModelError(self._name, f"the account's quota is used up: {_said(error)}; top it up") from error
        except ai_errors.ModelAuthenticationError as error:
            raise ModelError(self._name, f"the provider refuses the key: {_said(error)}; give another one") from error
        except ai_errors.ModelNotFoundError as error:
            raise ModelError(self._name, f"the provider does not have it: {_said(error)}; look at the name") from error
        except ai_errors.ModelRequestRejectedError as error:
            if isinstance(error, ai_errors.ModelContextWindowExceededError) or _too_long(error):
                raise ContextTooLong(self._name, f"{_said(error)}; send fewer or shorter turns") from error
            raise ModelError(self._name, f"the provider refuses the request: {_said(error)}") from error
        except (ai_errors.ModelAPIError, ai_errors.UnexpectedModelBehavior) as error:
            if isinstance(error, ai_errors.ModelHTTPError) and error.status_code == 501:
                raise ModelError(self._name, f"the provider cannot do this: {_said(error)}") from error
            raise ModelUnavailable(self._name, f"{_said(error)}; try again") from error
        except ai_errors.UserError as error:
            raise ModelError(self._name, f"pydantic-ai refuses the request: {error}") from error


class _Form:
    """How a request is put to a model: its settings and parameters, and how its answer is read."""

    def __init__(self, request: Request, model: Model) -> None:
        self.output: Output | None = request.output
        self.mode: Literal["native", "tool", "prompted"] = "native"
        self._wrapped = False
        self.settings = _settings(request, model)
        tools = [
            ToolDefinition(
                name=tool.name,
                description=tool.description,
                parameters_json_schema=dict(tool.parameters),
                strict=True if tool.strict else None,
            )
            for tool in request.tools
        ]
        self.parameters = ModelRequestParameters(function_tools=tools)
        if request.output is not None:
            self._ask_for(request.output, model)

    @property
    def direct(self) -> bool:
        """Whether the text that streams in is the answer."""
        return self.output is None or (self.mode != "tool" and not self._wrapped)

    def text(self, response: ai.ModelResponse) -> str:
        """The text of the answer, wherever the provider put it."""
        text = "".join(part.content for part in response.parts if isinstance(part, ai.TextPart))
        if self.output is not None and self.mode == "tool":
            text = next((call.args_as_json_str() for call in response.tool_calls), text)
        if not text and response.finish_reason == "content_filter":
            return str((response.provider_details or {}).get("refusal", ""))
        if self._wrapped:
            try:
                return json.dumps(json.loads(text)[_FIELD], ensure_ascii=False)
            except (ValueError, LookupError, TypeError):
                return text  # not what was asked for: the check that follows says so
        return text

    def _ask_for(self, output: Output, model: Model) -> None:
        if model.profile.get("supports_json_schema_output", False):
            self.mode = "native"
        else:
            self.mode = "tool" if model.profile.get("supports_tools", True) else "prompted"
        schema = dict(output.schema)
        if schema.get("type") != "object":  # providers take only objects
            self._wrapped = True
            definitions: dict[str, object] = {key: schema.pop(key) for key in _DEFINITIONS if key in schema}
            wrapper = {"type": "object", "properties": {_FIELD: schema}, "required": [_FIELD]}
            schema = {**wrapper, "additionalProperties": False, **definitions}
        if self.mode == "tool":
            tool = ToolDefinition(name=output.name, parameters_json_schema=schema, kind="output")
            self.parameters = ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
        else:
            form = OutputObjectDefinition(json_schema=schema, name=output.name)
            self.parameters = ModelRequestParameters(output_mode=self.mode, output_object=form)


def _settings(request: Request, model: Model) -> ModelSettings:
    wanted = request.settings
    settings = ModelSettings(max_tokens=wanted.max_tokens, request_timeout=wanted.timeout)
    if "max_retries" not in model.unsupported_settings:
        settings["max_retries"] = 0
    if wanted.temperature is not None:
        settings["temperature"] = wanted.temperature
    if wanted.seed is not None:
        settings["seed"] = wanted.seed
    if wanted.stop and "stop_sequences" not in model.unsupported_settings:
        settings["stop_sequences"] = [clean(stop) for stop in wanted.stop]
    if request.tools:
        settings["tool_choice"] = request.tool_choice
    return settings


def _request_parts(turn: Turn) -> Iterator[ai.ModelRequestPart]:
    said: list[ai.UserContent] = []
    for part in turn.parts:
        match part:
            case Text(text) if turn.role == "system":
                yield ai.SystemPromptPart(clean(text))
            case Text(text):
                said.append(clean(text))
            case Image(data, media_type):
                said.append(ai.BinaryContent(data, media_type=media_type))
            case ToolResult(id, name, content, failed):
                outcome: Literal["failed", "success"] = "failed" if failed else "success"
                yield ai.ToolReturnPart(clean(name), clean(content), tool_call_id=clean(id), outcome=outcome)
            case ToolCall():
                pass  # only a model calls
    if said:
        yield ai.UserPromptPart(said[0] if len(said) == 1 and isinstance(said[0], str) else said)


def _answer_part(part: Part) -> ai.ModelResponsePart | None:
    match part:
        case Text(text):
            return ai.TextPart(clean(text)) if text else None
        case ToolCall(id, name, arguments):
            return ai.ToolCallPart(clean(name), clean(arguments), tool_call_id=clean(id))
        case Image(data, media_type):
            return ai.FilePart(ai.BinaryContent(data, media_type=media_type))
        case ToolResult():
            return None  # a result is nothing that a model says


def _added(event: ai.ModelResponseStreamEvent) -> str:
    """The text that an event of a stream adds to the answer."""
    match event:
        case ai.PartStartEvent(part=ai.TextPart(content=text)):
            return text
        case ai.PartDeltaEvent(delta=ai.TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""


def _said(error: ai_errors.AgentRunError) -> str:
    """What the provider itself said, without what surrounds it."""
    body = getattr(error, "body", None)
    while isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"]
    said = body.get("message") if isinstance(body, Mapping) else None
    status = f" ({error.status_code})" if isinstance(error, ai_errors.ModelHTTPError) else ""
    text = said if isinstance(said, str) and said else error.message
    return clean(text.strip().rstrip("."))[:500] + status


def _too_long(error: ai_errors.ModelRequestRejectedError) -> bool:
    """Whether this is how servers other than the big providers' say that the prompt does not fit."""
    if error.provider_error_type == "exceed_context_size_error":  # llama.cpp
        return True
    said = _said(error).lower()
    return "context" in said and any(word in said for word in ("exceed", "too long", "maximum", "length"))


def _known_price(model: Model) -> Price | None:
    """What genai-prices knows, for prompts of ordinary length."""

    def price(usage: PricedUsage) -> Decimal:
        try:
            found = calc_price(usage, model.model_name, provider_api_url=model.base_url)
        except LookupError:
            found = calc_price(usage, model.model_name, provider_id=model.system)
        return found.total_price * _THOUSAND

    try:
        return Price(price(PricedUsage(input_tokens=_THOUSAND)), price(PricedUsage(output_tokens=_THOUSAND)))
    except LookupError:
        return None
