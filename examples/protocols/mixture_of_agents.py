"""A mixture of agents: two layers of writers, each of which sees what the one before wrote, and an editor.

A cheese shop needs a name.

    python examples/protocols/mixture_of_agents.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    last drafts: Moonrind, Brie Happy
    Moonrind & Brie, after 5 calls
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.mixture_of_agents import MixtureOfAgents, Synthesis
from llm_net.protocols.dialogue.problem import Problem
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "poet": ["The Moon's Rind", "Moonrind"],
    "punster": ["Sweet Brie of Mine", "Brie Happy"],
    "editor": ["Moonrind & Brie"],
}


def network(model: Model | None = None) -> MixtureOfAgents:
    """A poet, a punster and an editor; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel([f'{{"answer": "{answer}"}}' for answer in answers]),
            instructions=f"You are {name}. You name a shop in two or three words.",
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name, answers in SCRIPTS.items()
    ]
    return MixtureOfAgents(
        id="agency", agents=voices, layers=(("poet", "punster"), ("poet", "punster")), aggregator="editor"
    )


def main(model: Model | None = None) -> None:
    named = network(model).result_of(Problem(body="What shall our cheese shop be called?"))
    assert isinstance(named, Synthesis)
    print("last drafts:", ", ".join(named.drafts))
    print(f"{named.answer}, after {named.calls} calls")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
