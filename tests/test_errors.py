"""Errors are records: they survive pickle and copies, name their facts, and say what to do."""

import copy
import inspect
import pickle
from dataclasses import fields

import pytest

from llm_net import errors
from llm_net.chat import Usage
from llm_net.errors import (
    AgentFailed,
    AgentRemoved,
    AmbiguousAddress,
    BrokenRule,
    CallTimeout,
    CarrierFailed,
    Deadlock,
    Diverged,
    EffectFailed,
    FarError,
    InvalidArguments,
    LimitReached,
    LlmNetError,
    MailboxFull,
    MissingDependency,
    NotMovable,
    NotResumable,
    NotUnderstood,
    PlaceUnavailable,
    RateLimited,
    RunCancelled,
    UnknownAddress,
    WireError,
)


def family(kind: type[LlmNetError]) -> list[type[LlmNetError]]:
    return [
        kind,
        *(each for child in kind.__subclasses__() if child.__module__ == errors.__name__ for each in family(child)),
    ]


ALL = family(LlmNetError)
each_error = pytest.mark.parametrize("kind", ALL)

VALUES: dict[str, object] = {
    "str": "some words",
    "int": 3,
    "float": 1.5,
    "float | None": 2.5,
    "tuple[str, ...]": ("one", "other"),
    "Usage | None": Usage(1, 20, 3),
}


def example(kind: type[LlmNetError]) -> LlmNetError:
    """An error of this class with something in each field."""
    return kind(**{field.name: VALUES[str(field.type)] for field in fields(kind)})


@each_error
def test_an_error_survives_pickle_with_its_facts_and_notes(kind: type[LlmNetError]) -> None:
    error = example(kind)
    error.add_note("while the bees were asked")

    back = pickle.loads(pickle.dumps(error))

    assert type(back) is kind
    assert back.facts() == error.facts() != {} or not fields(kind)
    assert back.__notes__ == ["while the bees were asked"]
    assert (str(back), back.transient) == (str(error), error.transient)


@each_error
def test_an_error_survives_being_copied(kind: type[LlmNetError]) -> None:
    error = example(kind)

    assert copy.copy(error).facts() == copy.deepcopy(error).facts() == error.facts()


@each_error
def test_an_error_is_raised_and_caught_as_each_of_its_families(kind: type[LlmNetError]) -> None:
    for above in kind.__mro__[: kind.__mro__.index(LlmNetError) + 1]:
        with pytest.raises(above):
            raise example(kind)


@each_error
def test_two_errors_with_the_same_facts_are_two_errors(kind: type[LlmNetError]) -> None:
    one, other = example(kind), example(kind)

    assert one != other
    assert len(set(map(id, (one, other)))) == 2
    assert hash(one) == hash(one)


@each_error
def test_facts_are_plain_values_with_names(kind: type[LlmNetError]) -> None:
    assert {str(field.type) for field in fields(kind)} <= set(VALUES)
    assert set(example(kind).facts()) == {field.name for field in fields(kind)}


LEAVES = [kind for kind in ALL if not kind.__subclasses__()]
SAYS_WHAT_OTHERS_SAY = {
    WireError, InvalidArguments, AgentFailed, CallTimeout, RunCancelled, NotResumable, EffectFailed, Diverged, PlaceUnavailable,
    NotMovable, CarrierFailed, FarError
}  # fmt: skip
"""Leaves that pass on what somebody else found, who knows the cure; or for which there is none to give."""


@pytest.mark.parametrize("kind", [kind for kind in LEAVES if kind not in SAYS_WHAT_OTHERS_SAY])
def test_the_sentence_of_a_leaf_ends_with_the_cure(kind: type[LlmNetError]) -> None:
    sentence = str(example(kind))
    if kind.__str__ is errors.ModelError.__str__:
        assert sentence == "model 'some words': some words"  # whoever raises it writes the cure into `problem`
    else:
        fact, _, cure = sentence.replace(". ", "; ").rpartition("; ")
        assert fact
        assert cure[0].islower() or cure[0] == "`" or cure.startswith("Define")


@each_error
def test_a_sentence_is_one_line_and_names_the_facts(kind: type[LlmNetError]) -> None:
    sentence = str(example(kind))

    if fields(kind):
        assert sentence
        assert "\n" not in sentence
        assert not sentence.endswith(" ")
        assert any(value in sentence for value in ("some words", "3", "one"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            BrokenRule("auction", "anna", "propose", "over", "it came too late"),
            "'anna' cannot say 'propose' in auction when it is 'over': it came too late; it has nothing to say now; wait",
        ),
        (
            BrokenRule("auction", "anna", "agree", "called", allowed=("propose", "refuse")),
            "'anna' cannot say 'agree' in auction when it is 'called'; it may say propose, refuse",
        ),
        (
            UnknownAddress("ann", "market", ("anna", "hanna")),
            "no agent 'ann' in network 'market'; did you mean 'anna' or 'hanna'?",
        ),
        (UnknownAddress("ann", "market"), "no agent 'ann' in network 'market'; add it first"),
        (
            AmbiguousAddress("anna", ("a/anna", "b/anna")),
            "'anna' names several agents; write the whole path: a/anna, b/anna",
        ),
        (
            NotUnderstood("anna", "dance", "Message", ()),
            (
                "'anna' has no handler for 'dance' (Message); it understands nothing. "
                "Define `async def adance(self, message: Message)`, or override `missing`"
            ),
        ),
        (
            Deadlock(("a", "b", "a")),
            (
                "deadlock: a waits for b waits for a; "
                "let one of them `yield` its message instead of waiting, or give it `concurrency` > 1"
            ),
        ),
        (RateLimited("gpt", "slow down", 3.0), "model 'gpt' is rate limited: slow down; try again after 3 s"),
        (
            MissingDependency("mcp", "mcp", "tools of servers"),
            "tools of servers needs mcp; install it with: pip install 'llm_net[mcp]'",
        ),
        (
            MissingDependency("negmas", "", "a negotiator of negmas"),
            "a negotiator of negmas needs negmas; install it with: pip install negmas",
        ),
        (
            MailboxFull("anna", 3),
            "mailbox of 'anna' is full (3 messages); `yield` the message to wait for room, or slow down and send again",
        ),
        (
            MailboxFull("anna", 3, "reject"),
            "mailbox of 'anna' is full (3 messages) and rejects more; slow down and send again, or let senders wait",
        ),
        (
            MailboxFull("anna", 3, "drop_oldest"),
            "mailbox of 'anna' is full (3 messages) and drops the oldest; give it a higher `limit`, or let senders wait",
        ),
        (
            MailboxFull("anna", 3, "keep_latest"),
            "a later message of the same matter took its place in the mailbox of 'anna'",
        ),
        (
            LimitReached("money", "0.25"),
            "run stopped at its limit of US$ 0.25; raise it with `limits=Limits(money=…)`",
        ),
        (
            AgentRemoved("anna", "market"),
            (
                "'anna' was removed from network 'market' before it handled this; "
                "send it to somebody else, or remove an agent when nothing waits for it"
            ),
        ),
        (WireError("it has 9 bytes"), "not a message: it has 9 bytes"),
        (InvalidArguments("order", ("a is wrong", "b too")), "Arguments of order are wrong. a is wrong. b too."),
    ],
)
def test_sentences_read_well(error: LlmNetError, sentence: str) -> None:
    assert str(error) == sentence


def test_what_may_pass_by_itself_is_transient() -> None:
    assert {kind.__name__ for kind in ALL if kind.transient} == {
        "MailboxFull",
        "CallTimeout",
        "ModelUnavailable",
        "RateLimited",
        "InvalidOutput",
        "NodeLost",
        "CarrierFailed",
    }
    assert MailboxFull("anna", 3).transient


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    def drawn(kind: type[LlmNetError], depth: int) -> list[tuple[int, str]]:
        inside = [line for child in kind.__subclasses__() if child in ALL for line in drawn(child, depth + 1)]
        return [(depth, kind.__name__), *inside]

    written: list[tuple[int, str]] = []
    for line in inspect.getsource(errors).split('"""')[1].splitlines():
        if line.startswith("    "):
            written.append(((len(line) - len(line.lstrip()) - 4) // 2, line.split()[0]))

    assert written == drawn(LlmNetError, 0)


def test_every_error_says_what_it_is() -> None:
    assert [kind.__name__ for kind in ALL if not kind.__dict__.get("__doc__")] == []
