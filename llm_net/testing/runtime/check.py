"""Is this a `Runtime`? Every law of a run that names no clock as a check that can fail. Knows no place and no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container

from llm_net.ports import Runtime
from llm_net.testing.runtime.calls import check_calls, check_colours, check_outside
from llm_net.testing.runtime.cancellation import check_cancellation, check_timeouts
from llm_net.testing.runtime.chance_and_time import check_chance, check_ticks, check_time
from llm_net.testing.runtime.changes import check_changes_inside, check_changes_outside, check_removal
from llm_net.testing.runtime.effects import check_effects, check_threads
from llm_net.testing.runtime.ends import check_ends, check_quiescence, check_where
from llm_net.testing.runtime.events import check_events, check_listening
from llm_net.testing.runtime.failures import check_errors, check_failures, check_supervision
from llm_net.testing.runtime.life import check_life
from llm_net.testing.runtime.limits import check_budgets, check_limits
from llm_net.testing.runtime.mailboxes import check_floods, check_full_mailboxes, check_mailboxes
from llm_net.testing.runtime.models import check_models
from llm_net.testing.runtime.networks import check_alone, check_directory, check_nesting, check_two_networks
from llm_net.testing.runtime.order import check_one_at_a_time, check_order
from llm_net.testing.runtime.place import Place
from llm_net.testing.runtime.records import check_records, check_resuming
from llm_net.testing.runtime.senders import check_senders
from llm_net.testing.runtime.waits import check_deadlocks, check_full_rings
from llm_net.testing.runtime.wire import check_conversations, check_large, check_messages, check_threads_of_messages


async def check_runtime(
    make: Callable[[], Runtime],
    *,
    away: bool = False,
    watched: bool = True,
    only: Container[str] | None = None,
    seconds: float = 20.0,
) -> None:
    """Check that a runtime keeps the laws of a run, and does what the event loop of one process does.

    Args:
        make: makes a runtime for one run, without a seed or clock of its own; may give the same one each time.
        away: whether agents live in other processes than this one.
        watched: whether an observer follows each run: what happens must not depend on it.
        only: the names of the checks to make; None for all.
        seconds: the longest that one law may take to check.

    Raises:
        AssertionError: a law is broken; the sentence says which.
    """
    for name, check in CHECKS.items():
        if only is None or name in only:
            await _told(name, check(Place(make, away, watched, seconds)), seconds)


async def _told(name: str, check: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await check
    except TimeoutError as late:
        raise AssertionError(f"{name}: not done after {seconds:g} s") from late
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__} was raised: "
        raise AssertionError(f"{name}: {kind}{error}") from error


CHECKS: dict[str, Callable[[Place], Awaitable[None]]] = {
    "where agents live": check_where,
    "ends": check_ends,
    "order": check_order,
    "one at a time": check_one_at_a_time,
    "quiescence": check_quiescence,
    "mailboxes": check_mailboxes,
    "full mailboxes": check_full_mailboxes,
    "floods": check_floods,
    "deadlocks": check_deadlocks,
    "full rings": check_full_rings,
    "errors": check_errors,
    "failures": check_failures,
    "supervision": check_supervision,
    "limits": check_limits,
    "budgets": check_budgets,
    "cancellation": check_cancellation,
    "timeouts": check_timeouts,
    "calls": check_calls,
    "colours": check_colours,
    "events": check_events,
    "listening": check_listening,
    "directory": check_directory,
    "changes from inside": check_changes_inside,
    "changes from outside": check_changes_outside,
    "removal": check_removal,
    "nesting": check_nesting,
    "life": check_life,
    "chance": check_chance,
    "time": check_time,
    "effects": check_effects,
    "models": check_models,
    "threads": check_threads,
    "ticks": check_ticks,
    "senders": check_senders,
    "messages": check_messages,
    "conversations": check_conversations,
    "large messages": check_large,
    "long threads": check_threads_of_messages,
    "two networks": check_two_networks,
    "alone": check_alone,
    "the outside": check_outside,
    "records": check_records,
    "resuming": check_resuming,
}
