"""The files of a new project: a program with two agents, a test of it, a page on how to go on. Knows no command."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

FILES: Mapping[str, str] = {
    "agents.py": '''\
"""$name: a writer whose words are a model's, and an archive that hears every draft."""

from collections.abc import AsyncIterator

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Request, Settings, system, user
from llm_net.llm.local import LocalModel
from llm_net.ports import Model


class Writer(GenAgent):
    """Writes one sentence about what it is asked."""

    model: Model
    written: int = 0  # fields are the agent's state

    async def arequest(self, message: Message) -> AsyncIterator[Message]:  # handles the method "request"
        turns = [system("You answer in one short sentence."), user(message.body)]
        completion = await self.complete(self.model, Request(turns, settings=Settings(max_tokens=80)))
        self.written += 1
        self.emit("draft", message.reply(body=completion.text))  # whoever listens hears it
        yield message.reply(body=completion.text)  # goes to whoever asked


class Archive(GenAgent):
    """Keeps every draft it hears."""

    drafts: list[str] = []

    def draft(self, message: Message) -> None:  # handles the event "draft"
        self.drafts.append(message.body)


def team(model: Model) -> GenNetwork:
    """The agents, and who listens to whom."""
    return GenNetwork(
        id="team",
        agents=[Writer(id="writer", model=model), Archive(id="archive")],
        links=[("writer", "draft", "archive")],
    )


network = team(LocalModel())  # a small model on this machine; any other will do, see llm_net.llm
''',
    "test_agents.py": '''\
"""The agents, with a model that says what this test wrote down for it."""

from agents import Archive, team

from llm_net import Message
from llm_net.llm.scripted import ScriptedModel


def test_what_the_writer_says_comes_back_and_is_kept() -> None:
    network = team(ScriptedModel(["Bees dance to say where the flowers are."]))

    answer = network.result_of(Message(body="What do bees do?", receiver=network["writer"]))

    archive = network["archive"]
    assert isinstance(archive, Archive)
    assert answer.body == "Bees dance to say where the flowers are."
    assert archive.drafts == [answer.body]


def test_nothing_is_wrong_with_the_network() -> None:
    assert team(ScriptedModel()).lint() == []
''',
    "README.md": """\
# $name

A network of two agents, made with llm_net.

```sh
pip install 'llm_net[cli,local]' pytest
pytest                                              # with a scripted model: fast, offline, the same everywhere
llm-net run agents.py "What do bees do?"            # with a small model on this machine
llm-net graph agents.py                             # who listens to whom
llm-net check agents.py                             # what is wrong, before the first message
```

If the model is not here yet: `llm-net models pull smollm2` fetches it once.

Where to go on: give `Writer` another handler, add an agent to `team`, link it to an event. `agents.py` is all there is.
""",
}
"""The text of each file; `$name` stands for the project's name."""


def files_of(name: str) -> dict[str, str]:
    """The files of a project of this name, by path."""
    return {path: Template(text).substitute(name=name) for path, text in FILES.items()}
