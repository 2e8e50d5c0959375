"""A tally is the same in every process: nothing of it depends on how Python hashes names there."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from llm_net.protocols.auctions.package import PackageBid
from llm_net.protocols.auctions.vcg import vcg
from llm_net.protocols.voting.ballot import Ranking
from llm_net.protocols.voting.delegation import delegate
from llm_net.protocols.voting.pairwise import pairwise
from llm_net.protocols.voting.ranked_pairs import ranked_pairs
from llm_net.protocols.voting.runoff import instant_runoff
from llm_net.protocols.voting.schulze import schulze
from llm_net.protocols.voting.stv import stv

names = "abcdefg"
ballots = [Ranking.of(*names[index:], *names[:index]) for index in range(7)]
print(stv(names, ballots, seats=3))
print(instant_runoff(names, ballots), schulze(pairwise(names, ballots)))
for most in range(1, 200, 7):
    try:
        print(most, ranked_pairs(pairwise(names, ballots), most=most))
    except ValueError as error:
        print(error)
print(delegate(dict(zip("abcdef", "bcadee")), ["f", "e"]).weights)
print([[bid.bidder for bid in end.accepted] for end in vcg([PackageBid.of(name, name, 1) for name in "abcabc"])])
"""


def test_every_process_comes_to_the_same_result_in_the_same_order() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(said) == 1
