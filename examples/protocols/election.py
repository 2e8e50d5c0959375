"""An election with ranked ballots: voters speak in a model's words, and none of them can vote for who does not stand.

A ship's crew chooses an animal to take along. By first places alone goat and parrot would tie, and nobody's second choice
would count; but most would rather have the cat than either, so by Schulze's rule the cat comes aboard. The ballots are secret.

    python examples/protocols/election.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    crew → ada  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    crew → ben  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    crew → cleo  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    crew → dora  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    crew → emil  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    crew → finn  rank: Which animal comes aboard? candidates=('goat', 'cat', 'parrot')
    ada → crew  abstain: Fur makes me sneeze, and so do feathers.
    ben → crew  ranked_ballot: ranking=('goat', 'cat', 'parrot')
    cleo → crew  ranked_ballot: ranking=('goat', 'cat', 'parrot')
    dora → crew  ranked_ballot: ranking=('parrot', 'cat', 'goat')
    emil → crew  ranked_ballot: ranking=('parrot', 'cat', 'goat')
    finn → crew  ranked_ballot: ranking=('cat', 'goat', 'parrot')
    crew → ·  elected: winners=('cat',), scores={'goat': 1, 'cat': 2, 'parrot': 0}, quorate=True, cast=5, abstained=1
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.participant import Voice
from llm_net.protocols.voting.election import Elect, Election

SCRIPTS = {
    "ada": ['{"act": "abstain"}', "Fur makes me sneeze, and so do feathers."],
    "ben": ['{"act": "ranked_ballot"}', '{"ranking": "goat > cat > parrot"}'],
    "cleo": ['{"act": "ranked_ballot"}', '{"ranking": "goat > cat > parrot"}'],
    "dora": ['{"act": "ranked_ballot"}', '{"ranking": "parrot > cat > goat"}'],
    "emil": ['{"act": "ranked_ballot"}', '{"ranking": "parrot > cat > goat"}'],
    "finn": ['{"act": "ranked_ballot"}', '{"ranking": "cat > goat > parrot"}'],
}


def network(model: Model | None = None) -> Election:
    """A crew of six; without a model each has a script."""
    wishes = {
        "ada": "sneezes near animals", "ben": "likes milk", "cleo": "likes cheese", "dora": "likes talking",
        "emil": "likes colours", "finn": "hates mice",
    }  # fmt: skip
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, a sailor who {wish}.",
            settings=Settings(max_tokens=60),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, wish in wishes.items()
    ]
    return Election(id="crew", agents=voices, tally="schulze", secret=True)


def main(model: Model | None = None) -> None:
    root = Elect(body="Which animal comes aboard?", candidates=("goat", "cat", "parrot"))
    for message in network(model).receive(root):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
