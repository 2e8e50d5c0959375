"""A broker and a recruiter: both find who can do something; one brings the answer, the other lets it go straight to you.

A guest at a hotel's desk wants a story: who tells them best will not today, so the next one does. Nobody juggles. A song the
guest hears from the singer, not from the desk.

    python examples/protocols/brokering.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    desk → desk  errand: Tell me of a dragon act='request', member='sheila'
    desk → sheila  request: Tell me of a dragon
    sheila → desk  refuse: Not today.
    desk → desk  told: Not today. done=False
    desk → desk  errand: Tell me of a dragon act='request', member='odo'
    desk → odo  request: Tell me of a dragon
    odo → desk  inform: It was small.
    desk → desk  told: It was small. done=True
    desk → guest  inform: It was small. absent={'sheila': 'Not today.'}, replies={'odo': 'It was small.'}
    desk → guest  failure: nobody here can do 'juggling'
    desk → lotte  request: Sing of the sea answer_to=Reference('guest')
    desk → guest  inform: members=('lotte',)
    lotte → guest  inform: The sea, the sea, it carries me.
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.fipa.brokering import Broker
from llm_net.protocols.fipa.facilitator import Wanted
from llm_net.protocols.fipa.recruiting import Recruit, Recruiter
from llm_net.protocols.participant import Voice

SKILLS = {"sheila": "stories", "odo": "stories, short ones", "lotte": "songs"}
SCRIPTS = {
    "sheila": ['{"act": "refuse"}', "Not today."],
    "odo": ['{"act": "inform"}', "It was small."],
    "lotte": ['{"act": "inform"}', "The sea, the sea, it carries me."],
}


def _voices(model: Model | None) -> list[Voice]:
    return [
        Voice(
            id=name,
            description=f"Knows {skill}",
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You know {skill}. You inform in one sentence.",
            stepwise=True,
            settings=Settings(max_tokens=40),
        )
        for name, skill in SKILLS.items()
    ]


def network(model: Model | None = None) -> Broker:
    """A desk that knows who can do what; without a model each of them has a script."""
    return Broker(id="desk", agents=_voices(model))


def recruiter(model: Model | None = None) -> Recruiter:
    """The same desk, and the answers do not pass over it."""
    return Recruiter(id="desk", agents=_voices(model))


def main(model: Model | None = None) -> None:
    for wanted in (
        Wanted(body="Tell me of a dragon", skill="stories", sender="guest"),
        Wanted(skill="juggling", sender="guest"),
    ):
        for message in network(model).receive(wanted):
            print(message)
    for message in recruiter(model).receive(Recruit(body="Sing of the sea", skill="songs", sender="guest")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
