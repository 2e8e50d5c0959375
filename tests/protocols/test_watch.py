"""Whoever has no part in a conversation may watch it: in a transcript, or in any run."""

from __future__ import annotations

import pytest

from llm_net import GenAgent, GenNetwork, Message
from llm_net.errors import WireError
from llm_net.protocols.acts import Agree, Inform, Request
from llm_net.protocols.fipa.contract_net import CONTRACT_NET, Offer
from llm_net.protocols.fipa.fipa import FIPA
from llm_net.protocols.watch import Watch, transcript

LINES = """
{"id": "1", "sender": "ann", "receiver": "bob", "method": "cfp", "body": "a roof", "deadline": "2026-01-01T12:00:00Z",
 "created_at": "2026-01-01T11:00:00Z"}
{"id": "2", "sender": "bob", "receiver": "ann", "method": "propose", "reply_to": "1", "created_at": "2026-01-01T11:30:00Z"}
{"id": "3", "sender": "bob", "receiver": "ann", "method": "inform", "body": "it is done", "reply_to": "2"}
{"id": "4", "sender": "ann", "receiver": "bob", "method": "accept-proposal", "reply_to": "2"}
{"id": "4", "sender": "ann", "receiver": "bob", "method": "accept-proposal", "reply_to": "2"}
{"id": "5", "sender": "bob", "receiver": "ann", "method": "chat", "body": "nice weather", "reply_to": "4"}
{"id": "6", "sender": "bob", "receiver": "ann", "method": "inform", "body": "it is done", "reply_to": "4"}
{"id": "7", "sender": "bob", "receiver": "ann", "method": "failure", "body": "it is not", "reply_to": "4"}
"""


def watched(text: str) -> Watch:
    watch = Watch(FIPA)
    for message in transcript(text.replace('Z",\n', 'Z",').splitlines(), FIPA):
        watch.show(message)
    return watch


def test_a_transcript_is_read_and_what_broke_the_rules_is_reported() -> None:
    watch = watched(LINES)

    assert [(breach.message.id, breach.broken.state) for breach in watch.breaches] == [
        ("3", "proposed"),
        ("5", "awarded"),
        ("7", ""),
    ]
    first, *_ = watch.breaches
    assert str(first.broken) == (
        "'bob' cannot say 'inform' in fipa-contract-net when it is 'proposed'; it may say not_understood"
    )
    assert watch.sessions == ()


def test_who_wrote_after_the_deadline_was_late() -> None:
    (breach,) = watched("\n".join(LINES.replace("11:30", "12:30").splitlines()[:4])).breaches

    assert breach.broken.problem == "it came after its deadline, 12:00:00"


def test_what_is_under_way_is_known() -> None:
    (session,) = watched("\n".join(LINES.splitlines()[:4])).sessions

    assert (session.state, session.initiator.id, session.participant.id) == ("proposed", "ann", "bob")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 1 is no JSON object"),
        ("[]", "line 1 is no JSON object"),
        ('{"reply_to": "7"}', "line 1 answers '7', which is on no line before it"),
        ('{"method": "propose", "sender": "bob"}', "line 1: price: Field required"),
        ('{"speaker": "bob"}', "line 1: speaker: Extra inputs are not permitted"),
    ],
)
def test_a_line_that_is_no_message_is_named(line: str, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        list(transcript([line], [CONTRACT_NET.saying(Offer)]))


class Eager(GenAgent):
    """Says more than it may."""

    def request(self, message: Request) -> list[Message]:
        return [Inform.reply(message, body="done"), Agree.reply(message)]


class Asker(GenAgent):
    def start(self, message: Message) -> Message:
        return Request(receiver="eager", reply_to=message)

    def inform(self, message: Inform) -> None: ...

    def agree(self, message: Agree) -> None: ...


def test_it_watches_any_run_and_stops_nobody() -> None:
    watch = Watch(FIPA)
    network = GenNetwork(id="wild", agents=[Asker(id="asker"), Eager(id="eager")])

    sent = list(network.receive(Message(method="start", receiver="asker"), observers=[watch]))

    assert [message.method for message in sent] == ["request", "inform", "agree"]
    assert [breach.broken.method for breach in watch.breaches] == ["agree"]
