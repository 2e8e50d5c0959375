"""One message of a record, as people and exports want it. Knows its JSON, not the class that it had, nor any journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue
from pydantic_core import from_json

from llm_net.graph import ITSELF
from llm_net.message import Message
from llm_net.record import Sent

OUTSIDE: Final = "outside"
"""Who is not in the network."""

_ENVELOPE: Final = frozenset(Message.model_fields)


@dataclass(frozen=True, slots=True)
class Said:
    """A message on its way to one receiver.

    Args:
        sent: the fact.
        fields: what the message holds, by name; empty where it is no longer kept.
        network: the id of the outermost network, or of the single agent.
    """

    sent: Sent
    fields: Mapping[str, JsonValue]
    network: str = ""

    @property
    def id(self) -> str:
        """Of the message."""
        return self.sent.id

    @property
    def sender(self) -> str:
        """Whose it is, for people."""
        return party(self.sent.sender, self.network)

    @property
    def receiver(self) -> str:
        """Who gets it, for people."""
        return party(self.sent.receiver, self.network)

    @property
    def verb(self) -> str:
        """Under which it is handled: the event, where it is heard as one."""
        return self.sent.event or self.sent.method

    @property
    def told(self) -> str:
        """The verb, and that it was put there by whoever made a fork."""
        return f"{self.verb} (edited)" if self.sent.edited else self.verb

    @property
    def content(self) -> dict[str, JsonValue]:
        """What it says beside its envelope: the body, where there is one, and the fields of its class."""
        body = self.fields.get("body")
        own = {name: value for name, value in self.fields.items() if name not in _ENVELOPE}
        return {"body": body, **own} if body else own

    @property
    def text(self) -> str:
        """The same as a text."""
        content = self.content
        body = str(content.pop("body", ""))
        fields = ", ".join(f"{name}={value!r}" for name, value in content.items())
        return f"{body} ({fields})" if body and fields else body or fields

    def __str__(self) -> str:
        return f"{self.sender} → {self.receiver}  {self.told}: {self.text}"


def said(sent: Sent, network: str = "") -> Said:
    """A fact, read."""
    return Said(sent, cast("dict[str, JsonValue]", from_json(sent.message)["fields"]) if sent.message else {}, network)


def party(address: str, network: str) -> str:
    """The name for people of somebody who has this address in a record."""
    if address in ("", ITSELF):
        return network if address else OUTSIDE
    return address.removeprefix("/")
