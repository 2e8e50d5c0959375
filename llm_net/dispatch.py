"""Which method of a class handles which message. Knows classes and functions, not agents or runtimes.

The table is built once for each class. What a message names is looked up in the table and nowhere else, so a name that
came from a model or a socket can never reach an attribute.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, UnionType
from typing import Any, Final, Literal, TypeVar

from llm_net.errors import DefinitionError
from llm_net.message import Message, Method

F = TypeVar("F", bound=Callable[..., object])

Colour = Literal[0, 1, 2, 3, 4]
PLAIN: Final = 0
GENERATOR: Final = 1
ASYNC: Final = 2
ASYNC_GENERATOR: Final = 3
AWAY: Final = 4
"""Not a colour of methods: what takes the messages of an agent that lives elsewhere."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A method that handles messages.

    `method` is the verb it serves, `kinds` the message classes it takes, `every` its period in seconds if it has one.
    """

    name: str
    method: str
    kinds: tuple[type[Message], ...]
    function: Callable[..., Any]
    colour: Colour
    blocking: bool = False
    every: float | None = None
    by_type: bool = False


def handles(*targets: type[Message] | str) -> Callable[[F], F]:
    """Let a method handle these verbs or message classes (and their subclasses), whatever its own name is."""
    if not targets:
        raise DefinitionError("@handles", "needs a verb or a message class, as in @handles('review')")

    def mark(function: F) -> F:
        function.__handles__ = targets  # type: ignore[attr-defined]  # read back by `Table.of`
        return function

    return mark


def blocking(function: F) -> F:
    """Run this plain handler in a thread: it may take long or wait without holding up the other agents."""
    if _colour(function) != PLAIN:
        raise DefinitionError(
            f"@blocking {function.__name__}", "is for a plain `def` that returns; an async handler waits by itself"
        )
    function.__blocking__ = True  # type: ignore[attr-defined]  # read back by `Table.of`
    return function


def every(seconds: float) -> Callable[[F], F]:
    """Call this handler each so many seconds while a run lives, with a message of the method's name.

    It does not keep a run alive: a run with nothing else to do ends.
    """
    if seconds <= 0:
        raise DefinitionError("@every", f"needs a positive number of seconds, not {seconds}")

    def mark(function: F) -> F:
        function.__every__ = seconds  # type: ignore[attr-defined]  # read back by `Table.of`
        return function

    return mark


class Table:
    """The handlers of one class."""

    __slots__ = ("_cache", "_pending", "_reserved", "_subject", "_typed", "_verbs", "everyday", "ticks")

    def __init__(self, subject: str, reserved: Iterable[str] = ()) -> None:
        self._subject = subject
        self.ticks = False  # whether a handler is called by the clock
        self.everyday: dict[str, dict[type[Message], Handler]] = {}  # a runtime's: what it found and may call at once
        self._reserved = frozenset(reserved)
        self._verbs: dict[str, list[Handler]] = {}
        self._typed: list[Handler] = []
        self._pending: list[tuple[FunctionType, str, dict[str, Any]]] = []
        self._cache: dict[tuple[type[Message], str], Handler | None] = {}

    @classmethod
    def of(
        cls,
        kind: type,
        *,
        stop: Iterable[type] = (object,),
        hooks: Iterable[str] = (),
        reserved: Iterable[str] = (),
        local: Mapping[str, Any] | None = None,
    ) -> Table:
        """Build the table of a class.

        Args:
            kind: the class.
            stop: base classes whose methods are no handlers.
            hooks: names that take messages and are no handlers.
            reserved: names that a handler must not take.
            local: names visible where the class is defined, for annotations that are strings.

        Raises:
            DefinitionError: a handler takes a reserved name.
        """
        table = cls(kind.__qualname__, reserved)
        stop, hooks, local = set(stop), set(hooks), local or {}
        methods: dict[str, object] = {}
        for base in reversed(kind.__mro__):
            if base not in stop:
                methods.update(base.__dict__)
        for name, function in methods.items():
            if isinstance(function, FunctionType) and not name.startswith("_") and name not in hooks:
                parameter = _message_parameter(function)
                table.ticks = table.ticks or hasattr(function, "__every__")
                if parameter is None:
                    if _is_marked(function):
                        raise DefinitionError(
                            f"{kind.__qualname__}.{name}", "a handler takes a message: `(self, message: Message)`"
                        )
                elif not isinstance(parameter.annotation, str):
                    table._add(function, name, parameter.annotation)
                else:
                    try:
                        table._add(function, name, _evaluated(parameter.annotation, function, local))
                    except NameError:  # a class that is defined further down: looked up when the first message comes
                        table._pending.append((function, name, dict(local)))
        return table

    def find(self, kind: type[Message], method: str) -> Handler | None:
        """The handler for a message of this class and method; None if there is none."""
        key = (kind, method)
        try:
            return self._cache[key]
        except KeyError:
            handler = self._search(kind, method)
            if len(self._cache) >= 1_000:  # methods come from models too: an endless variety must not grow memory
                self._cache.clear()
            self._cache[key] = handler
            return handler

    def __iter__(self) -> Iterator[Handler]:
        """Every handler once, in the order of definition."""
        self._settle()
        return iter(dict.fromkeys([*(handler for found in self._verbs.values() for handler in found), *self._typed]))

    def periodic(self) -> tuple[Handler, ...]:
        """The handlers that are called by the clock."""
        return tuple(handler for handler in self if handler.every is not None) if self.ticks else ()

    def verbs(self) -> dict[str, tuple[type[Message], ...]]:
        """What can be handled: each verb with the message classes it takes."""
        understood: dict[str, tuple[type[Message], ...]] = {}
        for handler in self:
            understood[handler.method] = understood.get(handler.method, ()) + handler.kinds
        return understood

    def understands(self, verb: str) -> bool:
        """Whether messages of this verb are handled, also by an async handler whose whole name it is."""
        return any(handler.method == verb or _is_whole(handler, verb) for handler in self)

    # ------------------------------------------------------------------------------------------ inside

    def _search(self, kind: type[Message], method: str) -> Handler | None:
        self._settle()
        typed = [handler for handler in self._typed if issubclass(kind, handler.kinds)]
        typed.sort(key=lambda handler: min(kind.__mro__.index(k) for k in handler.kinds if issubclass(kind, k)))
        if typed and typed[0].kinds != (Message,):  # the nearest class wins
            return typed[0]
        # `@handles(Message)` takes what nobody else does.
        return self._by_verb(kind, method) or next(iter(typed), None)

    def _by_verb(self, kind: type[Message], method: str) -> Handler | None:
        if (handler := self._accepting(method, kind)) is not None:
            return handler
        for base in kind.__mro__[:-1]:  # a message of a subclass goes where its base class would
            if base is Message or not issubclass(base, Message):
                break
            inherited = base.model_fields["method"].default
            if method == kind.model_fields["method"].default and (handler := self._accepting(inherited, kind)):
                return handler
        return next((one for one in self if _is_whole(one, method) and issubclass(kind, one.kinds)), None)

    def _accepting(self, method: str, kind: type[Message]) -> Handler | None:
        found = [handler for handler in self._verbs.get(method, ()) if issubclass(kind, handler.kinds)]
        found.sort(key=lambda handler: (handler.colour < ASYNC, -max(len(k.__mro__) for k in handler.kinds)))
        return found[0] if found else None

    def _settle(self) -> None:
        while self._pending:
            function, name, local = self._pending[0]
            parameter = _message_parameter(function)
            assert parameter is not None
            try:
                annotation = _evaluated(parameter.annotation, function, local)
            except NameError as unknown:
                if parameter.name != "message":  # some other method that takes something unknown to us
                    self._pending.pop(0)
                    continue
                raise DefinitionError(
                    f"{self._subject}.{name}", f"its annotation {parameter.annotation!r}: {unknown}"
                ) from None
            self._pending.pop(0)
            self._add(function, name, annotation)

    def _add(self, function: FunctionType, name: str, annotation: object) -> None:
        if (kinds := _message_kinds(annotation)) is None:
            return
        if name in self._reserved:
            raise DefinitionError(
                f"{self._subject}.{name}",
                f"is a method of every agent; name it otherwise and mark it with @handles({name!r})",
            )
        colour = _colour(function)
        blocking = bool(getattr(function, "__blocking__", False))
        period: float | None = getattr(function, "__every__", None)
        if period is not None and (needed := [n for n, field in kinds[0].model_fields.items() if field.is_required()]):
            problem = (
                f"the clock cannot fill in {', '.join(needed)} of {kinds[0].__name__}; give what it lacks a default"
            )
            raise DefinitionError(f"{self._subject}.{name}", problem)
        targets: tuple[type[Message] | str, ...] = getattr(function, "__handles__", ())
        if not targets:
            targets = (_verb(name, colour, kinds),)
        for target in targets:
            if isinstance(target, str):
                handler = Handler(name, target, kinds, function, colour, blocking, period)
                self._verbs.setdefault(target, []).append(handler)
            else:
                verb = target.model_fields["method"].default
                self._typed.append(Handler(name, verb, (target,), function, colour, blocking, period, by_type=True))
        self._cache.clear()


def _verb(name: str, colour: Colour, kinds: tuple[type[Message], ...]) -> str:
    """`step` serves "step" and so does `async def astep`; but `async def ask(self, message: Ask)` serves "ask"."""
    if colour < ASYNC or not name.startswith("a") or len(name) == 1:
        return name
    own = {kind.model_fields["method"].default for kind in kinds if kind is not Message}
    known = own or _METHODS
    return name if name in known and name[1:] not in known else name[1:]


_METHODS = frozenset(typing.get_args(Method))


def _is_whole(handler: Handler, method: str) -> bool:
    """`async def add` is taken to serve "dd", as `astep` serves "step"; whoever calls it "add" is understood too."""
    return handler.colour >= ASYNC and handler.name == method and handler.method == method[1:] not in _METHODS


def _colour(function: Callable[..., object]) -> Colour:
    inner = inspect.unwrap(function)
    if inspect.isasyncgenfunction(inner):
        return ASYNC_GENERATOR
    if inspect.iscoroutinefunction(inner):
        return ASYNC
    return GENERATOR if inspect.isgeneratorfunction(inner) else PLAIN


def _is_marked(function: FunctionType) -> bool:
    return any(hasattr(function, mark) for mark in ("__handles__", "__blocking__", "__every__"))


def _message_parameter(function: FunctionType) -> inspect.Parameter | None:
    """The parameter after self, if it may be a message: annotated with something, or called `message`."""
    parameters = list(inspect.signature(function, follow_wrapped=True).parameters.values())[1:]
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        return None
    first, *others = parameters
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in others):
        return None
    if first.annotation is first.empty:
        return first.replace(annotation=Message) if first.name == "message" else None
    return first


def _message_kinds(annotation: object) -> tuple[type[Message], ...] | None:
    members = (
        typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, UnionType) else (annotation,)
    )
    kinds = tuple(member for member in members if isinstance(member, type) and issubclass(member, Message))
    return kinds if kinds and len(kinds) == len(members) else None


def _evaluated(annotation: str, function: FunctionType, local: Mapping[str, Any]) -> object:
    function = typing.cast(FunctionType, inspect.unwrap(function))
    holder = type("Annotations", (), {"__annotations__": {"message": annotation}})
    return typing.get_type_hints(holder, globalns=function.__globals__, localns=dict(local))["message"]


def names_around(*internal: str) -> Mapping[str, Any]:
    """The local names of the first caller outside these modules: where a class that was just made is written."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(internal):
        if frame.f_back is None:
            return {}
        frame = frame.f_back
    return dict(frame.f_locals) if frame.f_locals is not frame.f_globals else {}
