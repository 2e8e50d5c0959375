"""Boards, trails and hidden roles: one lease for each part, marks that add up, and secrets that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.journal import MemoryJournal
from llm_net.protocols.acts import RejectProposal
from llm_net.protocols.dialogue.blackboard import Bid, Blackboard, Board, Look, Post, Riddle, Work
from llm_net.protocols.dialogue.field import deposited, evaporated
from llm_net.protocols.dialogue.hidden_roles import (
    Day,
    GameOver,
    HiddenRoles,
    Night,
    Pick,
    Play,
    Point,
    Situation,
    Vote,
)
from llm_net.protocols.dialogue.line import Line
from llm_net.protocols.dialogue.secret import Secret, dealt, known, winner
from llm_net.protocols.dialogue.stigmergy import Release, Sense, Step, Stigmergy, Trails
from llm_net.protocols.dialogue.turn import Say, Skip, TimeUp
from llm_net.protocols.outcome import Answers
from llm_net.protocols.tie import Order
from llm_net.record import Sent
from tests.protocols.dialogue.members import WRONG, Crashing, Late, Member, Silent, outcome

# ------------------------------------------------------------------------------------------ blackboard


def source(id: str, part: str, *, needs: Sequence[str] = (), worth: int = 1, works: bool = True) -> Member:
    """Bids for one part once it can see those that it needs."""

    def look(question: Look) -> Message:
        ready = part in question.open and all(need in question.board for need in needs)
        return Bid.reply(question, part=part, worth=worth) if ready else Skip.reply(question)

    def work(question: Work) -> Message:
        if not works:
            return Post.reply(question)
        return Post.reply(question, body="+".join([*(question.board[need] for need in needs), id]))

    return Member(id=id, says={Look: look, Work: work})


def board(*members: GenAgent, **fields: Any) -> Board:
    network = Blackboard(id="case", agents=members, **fields)
    end = outcome(network, Riddle(body="Who did it?", parts=("who", "where", "how")))
    assert isinstance(end, Board)
    return end


def test_each_adds_what_it_knows_once_it_can_see_what_it_needs() -> None:
    end = board(
        source("cook", "who", needs=["where", "how"]), source("maid", "where"), source("vet", "how", needs=["where"])
    )

    assert dict(end.board) == {"where": "maid", "how": "maid+vet", "who": "maid+maid+vet+cook"}
    assert dict(end.by) == {"where": "maid", "how": "vet", "who": "cook"}
    assert (end.solved, end.rounds) == (True, 3)


def test_it_ends_where_nobody_has_anything_to_add_or_where_it_is_enough() -> None:
    stuck = board(source("cook", "who", needs=["how"]), source("maid", "where"))
    enough = board(
        source("maid", "where"), source("vet", "how", needs=["where"]), enough=lambda found: "where" in found
    )

    assert (stuck.solved, stuck.rounds, [*stuck.board]) == (False, 2, ["where"])
    assert (enough.solved, enough.rounds, [*enough.board]) == (True, 1, ["where"])


def test_who_has_most_to_add_has_the_lease_and_who_is_outbid_is_told() -> None:
    weak, strong = source("weak", "who", worth=2), source("strong", "who", worth=9)

    assert board(weak, strong).by == {"who": "strong"}
    assert [type(message) for message in weak.told] == [Look, RejectProposal, Look]
    assert [type(message) for message in strong.told] == [Look, Work, Look]


def test_equal_bids_are_ties_and_by_rule_one_has_the_lease() -> None:
    end = board(source("ann", "who"), source("bob", "who"), ties=Order(("bob", "ann")))

    assert end.by == {"who": "bob"}
    assert end.ties == ("ann", "bob")


def test_a_part_that_was_given_back_or_lapsed_is_somebody_elses() -> None:
    def look(question: Look) -> Message:
        return Bid.reply(question, part="where", worth=9) if "where" in question.open else Skip.reply(question)

    slow, empty = Member(id="sam", says={Look: look}), source("ann", "who", works=False)

    end = board(slow, empty, Late(id="lea"), source("bob", "where"), rounds=4, lease=5.0)

    assert end.by == {"where": "bob"}
    assert end.absent.keys() == {"sam", "lea"}
    assert [type(message) for message in slow.told] == [Look, Work, TimeUp]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["who", "where", "how"]), st.integers(1, 3), st.booleans()), max_size=5))
def test_a_part_has_at_most_one_live_lease(drawn: list[tuple[str, int, bool]]) -> None:
    holds: list[str] = []  # the parts that somebody works on just now
    members = [source(f"m{n}", part, worth=worth, works=works) for n, (part, worth, works) in enumerate(drawn)]

    class Watching(Blackboard):
        async def collect(self, questions: Iterable[Message], *, patience: float | None = None) -> Answers:
            asked = [*questions]
            holds.extend(message.part for message in asked if isinstance(message, Work))
            assert len(holds) == len(set(holds))
            answers = await super().collect(asked, patience=patience)
            holds.clear()
            return answers

    end = outcome(Watching(id="case", agents=members, rounds=4), Riddle(body="?", parts=("who", "where", "how")))

    assert isinstance(end, Board)
    assert all((part, True) in {(part, works) for part, _, works in drawn} for part in end.board)


def test_a_board_does_without_those_who_fail() -> None:
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]
    lying = Member(id="lyn", says={Look: lambda question: Bid.reply(question, part="why")})

    end = board(*wrong, lying, source("maid", "where"))

    assert end.by == {"where": "maid"}
    assert end.absent.keys() == {"lyn", *(agent.id for agent in wrong)}
    assert "'why' is not open; bid for one of who, where, how" in end.absent["lyn"]


# ------------------------------------------------------------------------------------------ stigmergy

LINE = {"hive": ("path",), "path": ("hive", "food"), "food": ("path",)}


def ant(id: str, *, mark: float = 1.0) -> Member:
    """Walks to where most is, and otherwise on."""

    def sense(question: Sense) -> Message:
        others = [place for place in question.marks if place != question.place]
        best = max(others, key=lambda place: question.marks[place])
        return Step.reply(question, to=best, mark=mark)

    return Member(id=id, says={Sense: sense})


def trails(*members: GenAgent, **fields: Any) -> Trails:
    network = Stigmergy(id="meadow", agents=members, **{"ways": LINE, "start": "hive", **fields})
    end = outcome(network, Release(body="Find food."))
    assert isinstance(end, Trails)
    return end


def test_they_sense_what_is_near_and_leave_marks_that_fade() -> None:
    end = trails(ant("ann"), ticks=3, evaporation=0.5)

    assert end.places == {"ann": "path"}
    assert end.marks == {"hive": 0.125 + 0.5, "path": 0.25, "food": 0.0}


def test_everybody_senses_the_same_moment_and_nobody_senses_what_is_far() -> None:
    ann, bob = ant("ann"), ant("bob")

    trails(ann, bob, ticks=2)

    told = [message for message in [*ann.told, *bob.told] if isinstance(message, Sense)]
    assert [(each.place, dict(each.marks)) for each in told[:2]] == [
        ("hive", {"hive": 0.0, "path": 0.0}),
        ("path", {"path": 0.0, "hive": 1.8, "food": 0.0}),
    ]
    assert [each.marks for each in told[:2]] == [each.marks for each in told[2:]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(1, 6), st.integers(0, 10))
def test_what_is_on_the_ground_is_what_was_left_less_what_evaporated(
    quarters: list[int], ticks: int, tenths: int
) -> None:
    members = [ant(f"m{index}", mark=mark / 4) for index, mark in enumerate(quarters)]

    end = trails(*members, ticks=ticks, evaporation=tenths / 10)

    total: dict[str, Fraction] = {}
    for _ in range(ticks):
        total = evaporated(deposited(total, "all", Fraction(sum(quarters), 4)), Fraction(tenths, 10))
    assert sum(end.marks.values()) == pytest.approx(float(total["all"]))
    assert all(mark >= 0 for mark in end.marks.values())


def test_who_goes_where_no_way_leads_stays_and_so_does_who_fails() -> None:
    lost = Member(id="lou", says={Sense: lambda question: Step.reply(question, to="moon")})
    heavy = Member(id="hal", says={Sense: lambda question: Step.reply(question, to="path", mark=9.0)})
    wrong = [kind(id=f"m{index}") for index, kind in enumerate(WRONG)]

    end = trails(lost, heavy, *wrong, ant("ann"), ticks=1)

    assert end.places == {**dict.fromkeys(["lou", "hal", *(agent.id for agent in wrong)], "hive"), "ann": "path"}
    assert "'moon' is not next to 'hive'" in end.absent["lou"]
    assert "leave at most 1" in end.absent["hal"]


# ------------------------------------------------------------------------------------------ hidden roles

PARTS: Mapping[str, Secret] = {"wolf": "werewolf", "sara": "seer"}


def player(id: str, choose: Callable[[Pick], str] = lambda question: question.choices[0]) -> Member:
    return Member(
        id=id,
        says={
            Night: lambda question: Point.reply(question, player=choose(question)),
            Day: lambda question: Say.reply(question, body=f"I am {id}."),
            Vote: lambda question: Point.reply(question, player=choose(question)),
        },
    )


def knowing(id: str) -> Member:
    """Votes for a werewolf that it knows of."""

    def choose(question: Pick) -> str:
        wolves = [name for name in question.choices if question.known.get(name) == "werewolf"]
        return wolves[0] if wolves else question.choices[0]

    return player(id, choose)


def game(*members: GenAgent, seed: int = 0, **fields: Any) -> GameOver:
    end = outcome(HiddenRoles(id="village", agents=members, **fields), Play(body="Who is it?"), seed=seed)
    assert isinstance(end, GameOver)
    return end


def against(*names: str) -> Callable[[Pick], str]:
    """Chooses the first of these that may be chosen."""
    return lambda question: next(name for name in (*names, *question.choices) if name in question.choices)


def test_the_village_wins_where_it_finds_the_werewolf() -> None:
    villagers = [player(name, against("wolf")) for name in ("ann", "bob", "cat")]

    end = game(player("wolf"), *villagers, knowing("sara"), parts=PARTS)

    assert (end.winner, end.news) == ("villagers", ("ann was killed", "wolf was sent away"))
    assert end.body == "the villagers win"


def test_the_werewolves_win_once_the_others_are_no_more_than_they_are() -> None:
    end = game(
        player("wolf"), player("ann"), player("bob"), parts={"wolf": "werewolf"}, ties=Order(("bob", "ann", "wolf"))
    )

    assert (end.winner, end.alive) == ("werewolves", ("wolf", "bob"))


def test_where_a_vote_ties_nobody_leaves_unless_a_rule_decides() -> None:
    votes = {"wolf": ["dan", "ann"], "ann": ["wolf"], "bob": ["wolf"], "cat": ["ann"], "dan": []}
    members = [player(name, against(*chosen)) for name, chosen in votes.items()]

    assert game(*members, parts={"wolf": "werewolf"}, days=1).news == ("dan was killed", "nobody was sent away")
    assert game(*members, parts={"wolf": "werewolf"}, days=1, ties=Order(("wolf", "ann"))).winner == "villagers"


@given(st.integers(), st.integers(4, 7))
@settings(max_examples=25, deadline=None)
def test_nobody_is_told_more_than_its_part_allows(seed: int, count: int) -> None:
    chance = Random(seed)
    looked: dict[str, str] = {}

    def choose(question: Pick) -> str:
        chosen = chance.choice(question.choices)
        if isinstance(question, Night) and question.part == "seer":
            looked[question.id] = chosen
        return chosen

    members = [player(f"m{index}", choose) for index in range(count)]
    end = game(*members, seed=seed)

    for member in members:
        mine = end.parts[member.id]
        may_know = {member.id} | {name for name, part in end.parts.items() if part == mine == "werewolf"}
        for message in member.told:
            assert isinstance(message, Situation)
            assert message.part == mine
            assert dict(message.known) == {name: end.parts[name] for name in may_know}
            assert not any(part in " ".join(message.news) for part in ("werewolf", "seer", "villager"))
            assert mine != "villager" or not isinstance(message, Night)
            assert [type(each) for each in message.thread()] == [Play, type(message)]  # no secret hangs on it
            may_know |= {looked[message.id]} if message.id in looked else set()


@given(st.permutations(["werewolf", "seer", "villager"]))
@settings(max_examples=6, deadline=None)
def test_what_a_villager_is_told_is_the_same_whoever_else_is_what(others: list[Secret]) -> None:
    """As long as what everybody sees is the same: whoever is the werewolf kills Cat, and the votes tie."""
    votes = {"ann": ["cat", "vera"], "bob": ["cat", "dan"], "dan": ["cat", "bob"], "cat": [], "vera": ["ann"]}
    players = {name: player(name, against(*chosen)) for name, chosen in votes.items()}

    game(*players.values(), parts=dict(zip(("ann", "bob", "dan"), others, strict=True)), days=1)

    said = tuple(Line(speaker=name, text=f"I am {name}.") for name in ("ann", "bob", "dan", "vera"))
    knows = {
        "body": "Who is it?",
        "part": "villager",
        "known": {"vera": "villager"},
        "alive": ("ann", "bob", "dan", "vera"),
        "news": ("cat was killed",),
    }
    assert [message.content() for message in players["vera"].told] == [
        {**knows, "said": said[:3]},
        {**knows, "said": said, "choices": ("ann", "bob", "dan")},
    ]


def test_who_fails_plays_on_without_a_word() -> None:
    end = game(player("wolf"), Silent(id="sid"), Crashing(id="cid"), knowing("sara"), parts=PARTS, days=2)

    assert end.absent.keys() == {"cid"}  # the other one was dead before it was asked
    assert end.news[0] == "sid was killed"


def test_a_game_is_resumed_wherever_it_was_cut_off_and_replayed() -> None:
    def village() -> HiddenRoles:
        return HiddenRoles(id="village", agents=[player(name) for name in ("ann", "bob", "cat", "dan", "eve")])

    async def main() -> None:
        journal = MemoryJournal()
        async with village().run(Play(body="Who is it?"), journal=journal) as run:
            whole = await run.wait()
        assert isinstance(whole, GameOver)
        facts = [fact async for fact in journal.read(run.id)]
        for cut, fact in enumerate(facts):
            if isinstance(fact, Sent) and fact.receiver:
                rest = MemoryJournal()
                await rest.write(run.id, facts[: cut + 1])
                async with village().resume(rest, run.id) as again:
                    end = await again.wait()
                assert isinstance(end, GameOver)
                assert (end.parts, end.news) == (whole.parts, whole.news)  # the lots that were drawn are the same
        await village().replay(journal, run.id)

    asyncio.run(main())


@given(st.integers(3, 12), st.integers())
def test_parts_are_dealt_so_that_the_game_is_open(count: int, seed: int) -> None:
    parts = dealt([f"m{index}" for index in range(count)], Random(seed))

    assert sorted(parts.values()).count("seer") == 1
    assert winner(parts, parts) is None
    for name, part in parts.items():
        others = known(name, parts, seen=[])
        assert others[name] == part
        assert len(others) == (max(1, count // 4) if part == "werewolf" else 1)


def test_too_few_cannot_play() -> None:
    with pytest.raises(ValueError, match="at least three"):
        dealt(["ann", "bob"], Random(0))
