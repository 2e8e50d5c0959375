"""Every protocol that comes with the library, by the name of its rules. Knows them all, and nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Final

from llm_net.base import first_paragraph
from llm_net.protocols.argumentation.dispute import DISPUTE, Dispute
from llm_net.protocols.auctions.combinatorial_auction import COMBINATORIAL_AUCTION, CombinatorialAuction
from llm_net.protocols.auctions.dutch_auction import DUTCH_AUCTION, DutchAuction
from llm_net.protocols.auctions.english_auction import ENGLISH_AUCTION, EnglishAuction
from llm_net.protocols.auctions.sealed_auction import SEALED_AUCTION, SealedAuction
from llm_net.protocols.coordination.barrier import BARRIER, Barrier
from llm_net.protocols.coordination.bully_election import BULLY_ELECTION, BullyElection
from llm_net.protocols.coordination.coalition_formation import COALITION_FORMATION, CoalitionFormation
from llm_net.protocols.coordination.gossip import GOSSIP, Gossip
from llm_net.protocols.coordination.map_reduce import MAP_REDUCE, MapReduce
from llm_net.protocols.coordination.pipeline import PIPELINE, Pipeline
from llm_net.protocols.coordination.publish_subscribe import PUBLISH_SUBSCRIBE, PublishSubscribe
from llm_net.protocols.coordination.ring_election import RING_ELECTION, RingElection
from llm_net.protocols.coordination.task_allocation import TASK_ALLOCATION, TaskAllocation
from llm_net.protocols.dialogue.blackboard import BLACKBOARD, Blackboard
from llm_net.protocols.dialogue.consensus import CONSENSUS, Consensus
from llm_net.protocols.dialogue.debate import DEBATE, JUDGED_DEBATE, Debate
from llm_net.protocols.dialogue.delphi import DELPHI, Delphi
from llm_net.protocols.dialogue.discussion import HANDS, ROUND_ROBIN, SELECTOR, Discussion
from llm_net.protocols.dialogue.floor import FLOOR, Floor
from llm_net.protocols.dialogue.hidden_roles import HIDDEN_ROLES, HiddenRoles
from llm_net.protocols.dialogue.mixture_of_agents import MIXTURE_OF_AGENTS, MixtureOfAgents
from llm_net.protocols.dialogue.self_consistency import SELF_CONSISTENCY, SelfConsistency
from llm_net.protocols.dialogue.socratic import SOCRATIC, Socratic
from llm_net.protocols.dialogue.stigmergy import STIGMERGY, Stigmergy
from llm_net.protocols.fipa.brokering import BROKERING, Broker
from llm_net.protocols.fipa.contract_net import CONTRACT_NET, ContractNet
from llm_net.protocols.fipa.iterated_contract_net import ITERATED_CONTRACT_NET, IteratedContractNet
from llm_net.protocols.fipa.propose import PROPOSE
from llm_net.protocols.fipa.query import QUERY
from llm_net.protocols.fipa.recruiting import RECRUITING, Recruiter
from llm_net.protocols.fipa.request import REQUEST
from llm_net.protocols.fipa.request_when import REQUEST_WHEN
from llm_net.protocols.fipa.subscribe import SUBSCRIBE
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.markets.call_market import CALL_MARKET, CallMarket
from llm_net.protocols.markets.continuous_market import CONTINUOUS_MARKET, ContinuousMarket
from llm_net.protocols.matching.stable_matching import STABLE_MATCHING, StableMatching
from llm_net.protocols.matching.task_assignment import ASSIGNMENT, TaskAssignment
from llm_net.protocols.matching.top_trading_cycles import TOP_TRADING_CYCLES, TopTradingCycles
from llm_net.protocols.negotiation.alternating_offers import ALTERNATING_OFFERS, AlternatingOffers
from llm_net.protocols.negotiation.bargaining_table import BARGAINING, BargainingTable
from llm_net.protocols.negotiation.monotonic_concession import MONOTONIC_CONCESSION, MonotonicConcession
from llm_net.protocols.negotiation.single_text import SINGLE_TEXT, SingleText
from llm_net.protocols.negotiation.split_bargaining import SPLIT_BARGAINING, SplitBargaining
from llm_net.protocols.rules import Rules
from llm_net.protocols.voting.election import ELECTION, Election
from llm_net.protocols.voting.liquid import LIQUID_ELECTION, LiquidElection
from llm_net.protocols.voting.motion import MOTION, Motion


@dataclass(frozen=True, slots=True)
class Entry:
    """One protocol.

    Args:
        family: what it belongs to: "fipa", "auctions", "voting" and so on, as the folders are called.
        rules: of the conversation with each member.
        network: the network that begins it; None where its members begin it themselves.
        page: its page in the how-to.
        example: its program in `examples/protocols`; "" where that is called like the page.
        says: what it is, in a sentence; "" where its network says so.
    """

    family: str
    rules: Rules
    network: type[InteractionProtocol] | None
    page: str
    example: str = ""
    says: str = ""

    @property
    def about(self) -> str:
        """What it is, in a sentence."""
        told = self.says or (first_paragraph(getdoc(self.network)) if self.network is not None else self.rules.source)
        return f"{told.partition('. ')[0].rstrip('.')}."

    @property
    def spoken(self) -> Rules:
        """The rules with the message classes that its network speaks in: an `Offer` for any proposal."""
        own = () if self.network is None else self.network.rules
        return next((rules for rules in own if rules.name == self.rules.name), self.rules)

    @property
    def documents(self) -> tuple[str, str]:
        """The paths of its page and of its example."""
        example = self.example or self.page.replace("-", "_")
        return f"docs/how-to/protocols/{self.page}.md", f"examples/protocols/{example}.py"


def _by_name(*entries: Entry) -> dict[str, Entry]:
    return {entry.rules.name: entry for entry in entries}


CATALOG: Final[Mapping[str, Entry]] = _by_name(
    Entry("fipa", REQUEST, None, "request", says="One asks another to do something, and hears what came of it"),
    Entry("fipa", QUERY, None, "request", says="One asks another whether something is true, or which thing fits"),
    Entry(
        "fipa", REQUEST_WHEN, None, "request", says="One asks another to do something as soon as something else is true"
    ),
    Entry(
        "fipa",
        SUBSCRIBE,
        None,
        "subscribe",
        says="One is told of something each time that it changes, until either ends it",
    ),
    Entry("fipa", PROPOSE, None, "propose", says="One would do something, and asks first whether it is wanted"),
    Entry("fipa", CONTRACT_NET, ContractNet, "contract-net"),
    Entry("fipa", ITERATED_CONTRACT_NET, IteratedContractNet, "iterated-contract-net"),
    Entry("fipa", BROKERING, Broker, "brokering"),
    Entry("fipa", RECRUITING, Recruiter, "brokering"),
    Entry("auctions", SEALED_AUCTION, SealedAuction, "sealed-auction"),
    Entry("auctions", ENGLISH_AUCTION, EnglishAuction, "english-auction"),
    Entry("auctions", DUTCH_AUCTION, DutchAuction, "dutch-auction"),
    Entry("auctions", COMBINATORIAL_AUCTION, CombinatorialAuction, "combinatorial-auction"),
    Entry("markets", CALL_MARKET, CallMarket, "call-market"),
    Entry("markets", CONTINUOUS_MARKET, ContinuousMarket, "continuous-market"),
    Entry("matching", STABLE_MATCHING, StableMatching, "stable-matching"),
    Entry("matching", ASSIGNMENT, TaskAssignment, "assignment"),
    Entry("matching", TOP_TRADING_CYCLES, TopTradingCycles, "top-trading-cycles"),
    Entry("voting", ELECTION, Election, "election"),
    Entry("voting", LIQUID_ELECTION, LiquidElection, "liquid-election"),
    Entry("voting", MOTION, Motion, "motion"),
    Entry("negotiation", ALTERNATING_OFFERS, AlternatingOffers, "alternating-offers"),
    Entry("negotiation", SPLIT_BARGAINING, SplitBargaining, "split-bargaining"),
    Entry("negotiation", MONOTONIC_CONCESSION, MonotonicConcession, "monotonic-concession"),
    Entry("negotiation", BARGAINING, BargainingTable, "bargaining"),
    Entry("negotiation", SINGLE_TEXT, SingleText, "single-text"),
    Entry("argumentation", DISPUTE, Dispute, "dispute"),
    Entry("dialogue", ROUND_ROBIN, Discussion, "discussion", says="Members talk about something, one after the other"),
    Entry(
        "dialogue", SELECTOR, Discussion, "discussion", says="A member that does not speak itself names who speaks next"
    ),
    Entry("dialogue", HANDS, Discussion, "discussion", says="Who wants to speak most speaks next"),
    Entry("dialogue", FLOOR, Floor, "floor"),
    Entry("dialogue", DEBATE, Debate, "debate"),
    Entry(
        "dialogue",
        JUDGED_DEBATE,
        Debate,
        "debate",
        says="Judges name the best answer of a debate, asked in both orders",
    ),
    Entry("dialogue", SELF_CONSISTENCY, SelfConsistency, "self-consistency"),
    Entry("dialogue", MIXTURE_OF_AGENTS, MixtureOfAgents, "mixture-of-agents"),
    Entry("dialogue", DELPHI, Delphi, "delphi"),
    Entry("dialogue", CONSENSUS, Consensus, "consensus"),
    Entry("dialogue", SOCRATIC, Socratic, "socratic"),
    Entry("dialogue", BLACKBOARD, Blackboard, "blackboard"),
    Entry("dialogue", STIGMERGY, Stigmergy, "stigmergy"),
    Entry("dialogue", HIDDEN_ROLES, HiddenRoles, "hidden-roles"),
    Entry("coordination", MAP_REDUCE, MapReduce, "map-reduce"),
    Entry("coordination", PIPELINE, Pipeline, "pipeline"),
    Entry("coordination", BARRIER, Barrier, "barrier"),
    Entry("coordination", RING_ELECTION, RingElection, "elections"),
    Entry("coordination", BULLY_ELECTION, BullyElection, "elections"),
    Entry("coordination", TASK_ALLOCATION, TaskAllocation, "task-allocation"),
    Entry("coordination", COALITION_FORMATION, CoalitionFormation, "coalition-formation"),
    Entry("coordination", PUBLISH_SUBSCRIBE, PublishSubscribe, "publish-subscribe"),
    Entry("coordination", GOSSIP, Gossip, "gossip"),
)
"""By name, families together."""
