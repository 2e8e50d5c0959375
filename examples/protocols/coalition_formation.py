"""Coalitions by their rules: musicians say what they would bring to each band, and the best bands are formed.

Together they would earn most; but Kim will not play with Lou. So Kim plays with Jo, and each gets a fair share.

    python examples/protocols/coalition_formation.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    agency → jo  appraise: Form bands teams=('jo', 'jo+kim', 'jo+lou', 'jo+kim+lou'), most=9
    agency → kim  appraise: Form bands teams=('kim', 'jo+kim', 'kim+lou', 'jo+kim+lou'), most=9
    agency → lou  appraise: Form bands teams=('lou', 'jo+lou', 'kim+lou', 'jo+kim+lou'), most=9
    lou → agency  appraisal: brings={'lou': 2, 'jo+lou': 3, 'kim+lou': 2, 'jo+kim+lou': 6}
    jo → agency  appraisal: brings={'jo': 2, 'jo+kim': 5, 'jo+lou': 3, 'jo+kim+lou': 6}
    kim → agency  appraisal: brings={'kim': 1, 'jo+kim': 4, 'kim+lou': 1, 'jo+kim+lou': 6}
    agency → jo  team_offer: Form bands team=('jo', 'kim', 'lou'), worth='18', share='23/3'
    agency → kim  team_offer: Form bands team=('jo', 'kim', 'lou'), worth='18', share='17/3'
    agency → lou  team_offer: Form bands team=('jo', 'kim', 'lou'), worth='18', share='14/3'
    kim → agency  refuse: Not with Lou.
    jo → agency  agree: All of us!
    lou → agency  agree: I bring the drums.
    agency → jo  team_offer: Form bands team=('jo', 'kim'), worth='9', share='5'
    agency → kim  team_offer: Form bands team=('jo', 'kim'), worth='9', share='4'
    kim → agency  agree: Yes, Jo!
    jo → agency  agree: Let us play.
    agency → ·  coalitions: teams=(('jo', 'kim'), ('lou',)), worth='11', shares={'jo': '5', 'kim': '4', 'lou': '2'}
"""

import sys

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.coalition_formation import Alliance, CoalitionFormation
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot

SCRIPTS = {
    "jo": [
        *('{"act": "appraisal"}', '{"brings": {"jo": 2, "jo+kim": 5, "jo+lou": 3, "jo+kim+lou": 6}}'),
        *('{"act": "agree"}', "All of us!", '{"act": "agree"}', "Let us play."),
    ],
    "kim": [
        *('{"act": "appraisal"}', '{"brings": {"kim": 1, "jo+kim": 4, "kim+lou": 1, "jo+kim+lou": 6}}'),
        *('{"act": "refuse"}', "Not with Lou.", '{"act": "agree"}', "Yes, Jo!"),
    ],
    "lou": [
        *('{"act": "appraisal"}', '{"brings": {"lou": 2, "jo+lou": 3, "kim+lou": 2, "jo+kim+lou": 6}}'),
        *('{"act": "agree"}', "I bring the drums."),
    ],
}


def network(model: Model | None = None) -> CoalitionFormation:
    """Three musicians; without a model each has a script."""
    musicians = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, a musician. You look for a band.",
            settings=Settings(max_tokens=60),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return CoalitionFormation(id="agency", agents=musicians, most=9, ties=Lot(seed=7))


async def amain(model: Model | None) -> None:
    async for message in network(model).areceive(Alliance(body="Form bands")):
        print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
