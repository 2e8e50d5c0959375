"""The communicative acts of FIPA: what agents do by saying something. Knows no rules of who says them when.

Source: FIPA SC00037J, Communicative Act Library Specification (2002). `Message` has the parameters of its messages: `body` is
the content, `deadline` is reply-by, `conversation` is conversation-id. `reply_to` is the message that is answered, which is
FIPA's in-reply-to; FIPA's reply-to, an address, is whoever `forward` and `receiver=` name.
"""

from __future__ import annotations

from typing import Final

from llm_net.message import Message


class AcceptProposal(Message):
    """Accept a proposal: do what you proposed."""


class Agree(Message):
    """Agree to do what was asked for, in time."""


class Cancel(Message):
    """Take back what was asked for: stop doing it."""


class Cfp(Message):
    """Call for proposals to do something."""


class Confirm(Message):
    """Say that something is true of which the other is not sure."""


class Disconfirm(Message):
    """Say that something is false which the other believes."""


class Failure(Message):
    """Say that it was tried and did not succeed, and why."""


class Inform(Message):
    """Say that something is true: a result, or that it is done."""


class InformIf(Message):
    """Offer to say whether something is true."""


class InformRef(Message):
    """Offer to say which thing fits a description."""


class NotUnderstood(Message):
    """Say that a message was not understood, and why."""


class Propagate(Message):
    """Pass the message inside on to all who fit a description, and let them do so too."""


class Propose(Message):
    """Propose to do something, on a condition."""


class Proxy(Message):
    """Send the message inside to those who fit a description."""


class QueryIf(Message):
    """Ask whether something is true."""


class QueryRef(Message):
    """Ask which thing fits a description."""


class Refuse(Message):
    """Refuse to do something, and say why."""


class RejectProposal(Message):
    """Reject a proposal: it is not wanted, and why."""


class Request(Message):
    """Ask for something to be done."""


class RequestWhen(Message):
    """Ask for something to be done as soon as something else is true."""


class RequestWhenever(Message):
    """Ask for something to be done each time that something else becomes true."""


class Subscribe(Message):
    """Ask to be told of something, now and each time that it changes."""


ACTS: Final[tuple[type[Message], ...]] = (
    AcceptProposal, Agree, Cancel, Cfp, Confirm, Disconfirm, Failure, Inform, InformIf, InformRef, NotUnderstood, Propagate,
    Propose, Proxy, QueryIf, QueryRef, Refuse, RejectProposal, Request, RequestWhen, RequestWhenever, Subscribe,
)  # fmt: skip
"""All 22 of them."""
