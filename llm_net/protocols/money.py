"""What an amount of money is: exact, finite, of one currency that all parties know. Knows nothing of who pays it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

ZERO = Decimal(0)

Amount: TypeAlias = Annotated[
    Decimal, Field(ge=0, allow_inf_nan=False), WithJsonSchema({"type": "number", "minimum": 0})
]
"""An amount of money as a field of a message: a model is asked for a number."""


def check_amount(amount: Decimal, what: str) -> None:
    """Refuses what is no amount of money.

    Args:
        amount: what somebody named.
        what: how the sentence of the error calls it.

    Raises:
        ValueError: it is not a Decimal, not finite, or negative.
    """
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount < 0:
        raise ValueError(f"{what} {amount!r} is no amount of money; write a Decimal of at least 0")
