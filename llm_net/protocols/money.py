"""What an amount of money is: exact, finite, of one currency that all parties know. Knows nothing of who pays it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from llm_net.schema import JsonSchema

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


def between(least: Decimal, most: Decimal | None) -> JsonSchema:
    """The schema of an amount within these bounds; None for no upper one."""
    schema: JsonSchema = {"type": "number", "minimum": float(least)}
    return schema if most is None else {**schema, "maximum": float(most)}


def problem_between(amount: Decimal, least: Decimal, most: Decimal | None) -> str | None:
    """What is wrong with an amount that shall lie within these bounds, and how to mend it; None if it does."""
    if amount < least:
        return f"{amount} is too little; say at least {least}, or refuse"
    if most is not None and amount > most:
        return f"{amount} is more than you can pay; say at most {most}, or refuse"
    return None
