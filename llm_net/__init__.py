"""llm_net: systems of several generative agents, from three nouns: Message, GenAgent, GenNetwork.

What is imported here is what most programs need; everything else has its own module (see ARCHITECTURE.md).
"""

from llm_net.address import AbstractObject
from llm_net.base import Call, GenAgent, GenNetwork, call
from llm_net.dispatch import blocking, every, handles
from llm_net.event import Event
from llm_net.graph import Link
from llm_net.limits import Limits
from llm_net.mailbox import Mailbox
from llm_net.message import Message, Method, Role
from llm_net.ports import Run
from llm_net.supervision import Retry

__version__ = "0.1.0"

__all__ = [
    "AbstractObject",
    "Call",
    "Event",
    "GenAgent",
    "GenNetwork",
    "Limits",
    "Link",
    "Mailbox",
    "Message",
    "Method",
    "Retry",
    "Role",
    "Run",
    "blocking",
    "call",
    "every",
    "handles",
]
