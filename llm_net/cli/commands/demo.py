"""`llm-net demo`: the contract net of `llm_net.cli.demo`, drawn while it runs. Knows who speaks, not what is said."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import click
from rich.console import Console
from rich.text import Text

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Settings, TextDelta, user
from llm_net.cli.app import debug
from llm_net.cli.demo import TASK, Voice, market, script
from llm_net.cli.model import model_of
from llm_net.cli.offers import offers
from llm_net.errors import AgentFailed, LlmNetError
from llm_net.message import Message
from llm_net.observe.progress import Progress
from llm_net.ports import Model
from llm_net.runtime.local import LocalRuntime

EPILOG = """
\b
Examples:
  llm-net demo
  llm-net demo --task "Paint the garden gate green." --seed 2
  llm-net demo --model path/to/model.gguf
  llm-net demo --model openai:gpt-5
  llm-net demo --model llama3.2@http://127.0.0.1:11434/v1
"""

SMALL = Settings(temperature=0.4, max_tokens=48)
"""For models of a few hundred million parameters: little chance, few words."""

LARGE = Settings(max_tokens=4_000)
"""For others, some of which think before they speak."""


@click.command(epilog=EPILOG)
@click.option("--model", "words", default="smollm2", show_default=True, metavar="MODEL",
              help="Who speaks: smollm2, a GGUF file, PROVIDER:NAME, NAME@URL, or scripted.")  # fmt: skip
@click.option("--task", default=TASK, show_default=True, help="What the manager wants done.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Another one gives another run, the same one the same."
)
@click.option("--no-color", is_flag=True, help="Draw without colours.")
@debug
def command(words: str, task: str, seed: int, no_color: bool) -> None:
    """See a manager and four contractors agree on who does a task, in the words of a language model.

    The manager calls for proposals; each contractor bids or refuses; the manager chooses; the chosen one reports. Every
    decision and every sentence is the model's, decoded before your eyes.
    """
    console = Console(highlight=False, no_color=no_color)
    model, settings, where = _speaker(words, seed)
    title = ("A contract net", "bold"), " in the words of ", (model.name, "bold"), f" ({where}), seed {seed}"
    console.print(Text.assemble(*title), soft_wrap=True)
    console.print(f"Task: {task}\n", markup=False, soft_wrap=True)
    asyncio.run(_show(model, settings, task, seed, console))
    if settings is SMALL:
        again = f"\nThe same seed gives the same run: --seed {seed}. Another: --seed {seed + 1}."
        console.print(again, style="dim", soft_wrap=True)
    if others := " · ".join(offers(os.environ)):
        console.print(f"Also possible. {others}", style="dim", markup=False, soft_wrap=True)


def _speaker(words: str, seed: int) -> tuple[Model, Settings, str]:
    """The model, how it shall decode, and where it runs."""
    if words == "scripted":
        from llm_net.llm.scripted import ScriptedModel

        model = ScriptedModel([script], cycle=True, seed=seed, latency=(0.1, 0.3), pace=0.02)
        return model, SMALL, "no model: lines of a script"
    if ":" not in words or words.endswith(".gguf"):
        return model_of(words), SMALL, "on this machine"
    return model_of(words), LARGE, f"at {words.partition('@')[2] or words.partition(':')[0]}"


async def _show(model: Model, settings: Settings, task: str, seed: int, console: Console) -> None:
    try:
        if settings is SMALL:  # let it load before anybody is timed
            await model.complete(Request([user("Hello")], settings=Settings(max_tokens=1)))
        with Progress(console) as progress:
            network = market(lambda id: Voice(Aloud(model, partial(progress.saying, id)), settings))
            root = Message(body=task, receiver=network["manager"])
            async with network.run(root, runtime=LocalRuntime(seed=seed), observers=[progress]) as run:
                await run.wait()
    except AgentFailed as failed:  # all that can fail here is the model
        cause: BaseException | None = failed
        while isinstance(cause, AgentFailed):
            cause = cause.__cause__
        raise (cause if isinstance(cause, LlmNetError) else failed) from None
    finally:
        await model.aclose()


@dataclass(frozen=True, slots=True)
class Aloud:
    """A model that shows what it says while it says it: `show` gets the text so far, and at the end an empty one."""

    model: Model
    show: Callable[[str], None]

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def price(self) -> Price | None:
        return self.model.price

    async def complete(self, request: Request) -> Completion:
        """Answer a request, from its stream."""
        said, answer = "", None
        try:
            async for chunk in self.model.stream(request):
                if isinstance(chunk, TextDelta):
                    said += chunk.text
                    self.show(said)
                else:
                    answer = chunk
        finally:
            self.show("")
        assert answer is not None  # every stream ends with one
        return answer

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer a request piece by piece, to whoever wants to show it himself."""
        return self.model.stream(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give each text as a vector."""
        return await self.model.embed(texts)

    async def aclose(self) -> None:
        """Give back what the model holds."""
        await self.model.aclose()
