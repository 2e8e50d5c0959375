"""What `llm-net node` loads in tests whose home has imported the same modules."""

import tests.places.flood
import tests.places.mill

__all__ = ["tests"]
