"""What `llm-net node` loads in tests whose home has imported the same module."""

from tests.places.mill import Clerk, Foreman, Miller, Store

__all__ = ["Clerk", "Foreman", "Miller", "Store"]
