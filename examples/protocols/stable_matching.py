"""A stable matching, one proposal at a time: apprentices ask masters, who keep the best that asked so far.

Ben and Ada both ask the smith. She keeps Ada, so Ben asks the baker, who would have had him all along.

    python examples/protocols/stable_matching.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    guild → ada  call_for_choice: Whom do you propose to? candidates=('smith', 'baker'), most=1
    guild → ben  call_for_choice: Whom do you propose to? candidates=('smith', 'baker'), most=1
    ada → guild  chosen: names=('smith',)
    ben → guild  chosen: names=('smith',)
    guild → smith  call_for_choice: Whom of those who propose do you keep? candidates=('ada', 'ben'), most=1
    smith → guild  chosen: names=('ada',)
    guild → ben  call_for_choice: Whom do you propose to? candidates=('baker',), most=1
    ben → guild  chosen: names=('baker',)
    guild → baker  call_for_choice: Whom of those who propose do you keep? candidates=('ben',), most=1
    baker → guild  chosen: names=('ben',)
    guild → ·  matching: pairs={'ada': 'smith', 'ben': 'baker'}, unmatched=()
"""

import sys

from llm_net import simulation
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.matching.stable_matching import Match, StableMatching
from llm_net.protocols.participant import Voice

CHOOSE = '{"act": "chosen"}'

SCRIPTS = {
    "ada": [CHOOSE, '{"names": ["smith"]}'],
    "ben": [CHOOSE, '{"names": ["smith"]}', CHOOSE, '{"names": ["baker"]}'],
    "smith": [CHOOSE, '{"names": ["ada"]}'],
    "baker": [CHOOSE, '{"names": ["ben"]}'],
}


def network(model: Model | None = None) -> StableMatching:
    """Two who learn and two who teach; without a model each has a script."""
    wants = {"ada": "a master", "ben": "a master", "smith": "an apprentice", "baker": "an apprentice"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You look for {want}.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, want in wants.items()
    ]
    return StableMatching(id="guild", agents=voices, proposers=("ada", "ben"), stepwise=True)


def main(model: Model | None = None) -> None:
    async def play() -> None:
        async for message in network(model).areceive(Match()):
            print(message)

    simulation.run(play())  # answers are taken up in the same order each time


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
