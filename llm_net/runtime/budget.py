"""What a run may still spend on models. Knows tokens and money, not who spends them."""

from __future__ import annotations

from decimal import Decimal

from llm_net.chat import Price, Request, Usage, estimate_tokens
from llm_net.errors import LimitReached
from llm_net.limits import Limits


class Budget:
    """Counts usage and keeps reservations, so that calls in flight together cannot overshoot a limit."""

    __slots__ = ("_limits", "_reserved_money", "_reserved_tokens", "used")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reserved_tokens = 0
        self._reserved_money = Decimal(0)
        self.used = Usage()

    def reserve(self, request: Request, price: Price | None) -> tuple[int, Decimal]:
        """Set aside what a call may use: its input, as estimated, and its `max_tokens`.

        Raises:
            LimitReached: the call could pass a limit.
        """
        input_tokens = estimate_tokens(request)
        tokens = input_tokens + request.settings.max_tokens
        money = price.of(input_tokens, request.settings.max_tokens) if price is not None else Decimal(0)
        limits = self._limits
        if limits.tokens is not None and self.used.tokens + self._reserved_tokens + tokens > limits.tokens:
            raise LimitReached("tokens", str(limits.tokens))
        if limits.money is not None and (self.used.cost or 0) + self._reserved_money + money > limits.money:
            raise LimitReached("money", str(limits.money))
        self._reserved_tokens += tokens
        self._reserved_money += money
        return tokens, money

    def settle(self, reserved: tuple[int, Decimal], used: Usage) -> None:
        """Give a reservation back and count what was really used."""
        self._reserved_tokens -= reserved[0]
        self._reserved_money -= reserved[1]
        self.used += used
