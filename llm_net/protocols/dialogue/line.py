"""What was said, and by whom. Knows no rules of who may say it."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict


class Line(BaseModel):
    """What somebody said once; "" of who had nothing to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speaker: str
    text: str

    def __repr__(self) -> str:  # as messages that have some are printed
        return repr(str(self))

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}" if self.text else f"{self.speaker} says nothing"


Lines: TypeAlias = tuple[Line, ...]
"""What was said, first to last."""
