"""What the agents of a class do, as far as its source says. Knows the text of methods, and runs nothing of them.

What the text does not say plainly (a message made elsewhere, a computed name) is left out; where that may be an event,
`Habits.whatever` is set.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partialmethod
from pathlib import PurePath
from types import FunctionType, ModuleType

from llm_net.dispatch import Table
from llm_net.message import Message

_BASES = ("llm_net.base", "llm_net.address", "pydantic.main", "builtins")
"""Modules whose classes say nothing of what one agent does."""

_HARMLESS_CALLS = frozenset(
    ["isinstance", "type", "super", "id", "str", "repr", "hash", "len", "link", "unlink", "address_of", "init_fns"]
)
"""Functions that an agent may give itself to without their emitting anything in its name."""

_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Made:
    """A message that a method makes.

    Args:
        method: None where it is computed.
        answers: it goes back to whoever asked.
        addressed: it goes to somebody in particular; to the address `receiver`, where that is written there.
    """

    kind: type[Message]
    method: str | None
    answers: bool = False
    addressed: bool = False
    receiver: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a method sends. `waits`: the method itself takes the answer."""

    made: Made
    place: str
    waits: bool


@dataclass(slots=True)
class Habits:
    """What the agents of one class do.

    Args:
        emits: the events, each with the messages that are emitted under it; None among them is one that is not known.
        sends: what they send.
        whatever: they may emit more than was found.
        adds: they add agents to networks.
    """

    emits: dict[str, list[Made | None]] = field(default_factory=dict)
    sends: dict[str, list[Sent]] = field(default_factory=dict)
    whatever: bool = False
    adds: bool = False

    @classmethod
    def of(cls, kind: type, handlers: Table) -> Habits:
        """Read a class and its bases."""
        habits = cls()
        handling = {handler.name for handler in handlers}
        for name, function, overridden in methods_of(kind):
            _Reader(function, name, habits, handles=name in handling, overridden=overridden).read()
        return habits


def methods_of(kind: type) -> Iterator[tuple[str, FunctionType, bool]]:
    """The methods of a class and of its bases (not the toolkit's), and whether a nearer one overrides them."""
    seen: set[str] = set()
    for base in kind.__mro__:
        if not is_base(base):
            for name, member in vars(base).items():
                if not name.startswith("__"):
                    for function in _functions(member):
                        yield name, function, name in seen
            seen.update(vars(base))


def is_base(kind: type) -> bool:
    """Whether this is one of the classes that every agent is made of."""
    return kind.__module__ in _BASES


def place_of(function: FunctionType, line: int = 1) -> str:
    """Where a line of a method is written; counted from 1."""
    code = function.__code__
    name = function.__qualname__.rpartition("<locals>.")[2]
    return f"{name}, {PurePath(code.co_filename).name}:{code.co_firstlineno + line - 1}"


def _functions(member: object) -> Iterable[FunctionType]:
    match member:
        case FunctionType():
            return [] if member.__module__.startswith(("pydantic.", *_BASES)) else [member]  # pydantic copies some down
        case classmethod() | staticmethod():
            return _functions(member.__func__)
        case property():
            return [*_functions(member.fget), *_functions(member.fset)]
        case cached_property() | partialmethod():
            return _functions(member.func)
        case _:
            return []


class _Reader:
    """Reads one method into the habits of its class."""

    def __init__(self, function: FunctionType, name: str, habits: Habits, *, handles: bool, overridden: bool) -> None:
        unwrapped = inspect.unwrap(function)
        self.function = unwrapped if isinstance(unwrapped, FunctionType) else function
        self.code = self.function.__code__
        self.name = name
        self.habits = habits
        self.handles = handles
        self.overridden = overridden  # it may still be called as super(): its events count, its messages do not
        self.itself = ""
        self.lines_above = 0
        self.values: dict[str, list[ast.expr]] = {}  # what local names are set to,
        self.stores: Counter[str] = Counter()  # and how often they are set to anything

    def read(self) -> None:
        method = self._tree()
        if method is None:
            self.habits.whatever = True
            return
        parameters = [*method.args.posonlyargs, *method.args.args]
        self.itself = parameters[0].arg if parameters else ""
        for node in _own(method):
            self._note_local(node)
        harmless: set[ast.AST] = set()
        for node in ast.walk(method):
            match node:
                case ast.Call():
                    harmless.update(self._called(node))
                case ast.Attribute(value=ast.Name(id=self.itself) as name):
                    harmless.add(name)
                case ast.Compare(left=left, comparators=others):
                    harmless.update([left, *others])
                case ast.FormattedValue(value=value):
                    harmless.add(value)
        for node in ast.walk(method):
            match node:
                case ast.Attribute(attr="emit") | ast.Name(id=self.itself, ctx=ast.Load()) if node not in harmless:
                    self.habits.whatever = True  # whoever got it may emit anything in its name
        if self.handles:
            for node in _own(method):
                if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
                    self._send(node.value, node, waits=self._is_call(node.value))
                elif isinstance(node, ast.YieldFrom):
                    self._send(node.value, node)

    def _tree(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        try:
            source = inspect.getsource(self.code)
            if source[:1].isspace():  # it stands in a class
                source, self.lines_above = "if True:\n" + source, 1
            tree: ast.AST = ast.parse(source).body[0]
        except (OSError, SyntaxError, IndexError):
            return None
        if isinstance(tree, ast.If):
            tree = tree.body[0]
        return tree if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) else None

    def _note_local(self, node: ast.AST) -> None:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                self.values.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.values.setdefault(name, []).append(value)
            case ast.Name(id=name, ctx=ast.Store()):
                self.stores[name] += 1

    # ------------------------------------------------------------------------------------------ what is done

    def _called(self, call: ast.Call) -> Iterator[ast.AST]:
        """Note what a call does; gives those nodes in it that are no secret way to emit."""
        for keyword in call.keywords:
            if keyword.arg in ("sender", "receiver"):
                yield keyword.value
        match call.func:
            case ast.Attribute(attr="emit"):
                yield call.func
                self._emitted(call)
            case ast.Attribute(value=ast.Name(id=self.itself), attr="send" | "call" | "gather" as verb) if call.args:
                self._send(call.args[0], call, waits=verb != "send")
            case ast.Attribute(value=owner, attr="add") if call.args:
                added = call.args[0]
                made = self._value(added.func) if isinstance(added, ast.Call) else None
                if hasattr(made, "handlers") or ast.unparse(owner).lower().endswith((self.itself, "network")):
                    self.habits.adds = True
                    yield added
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _HARMLESS_CALLS:
                yield from call.args

    def _emitted(self, call: ast.Call) -> None:
        emits = self.habits.emits
        arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "message")]
        match arguments:
            case [ast.Constant(value=str(event)), message]:
                emits.setdefault(event, []).extend(self._made(message) or [None])
            case [message] if made := self._made(message):
                for each in made:
                    if each.method is None:
                        self.habits.whatever = True
                    else:
                        emits.setdefault(each.method, []).append(each)
            case _:
                self.habits.whatever = True

    def _send(self, message: ast.expr, node: ast.expr | ast.stmt, *, waits: bool = False) -> None:
        if not self.overridden:
            place = place_of(self.function, node.lineno - self.lines_above)
            self.habits.sends.setdefault(self.name, []).extend(Sent(made, place, waits) for made in self._made(message))

    def _is_call(self, node: ast.expr) -> bool:
        """Whether this is `call(message)`, as a plain generator yields it."""
        function = self._value(node.func) if isinstance(node, ast.Call) else None
        return (
            isinstance(function, FunctionType) and function.__module__ == "llm_net.base" and function.__name__ == "call"
        )

    # ------------------------------------------------------------------------------------------ what is meant

    def _made(self, node: ast.expr, depth: int = 8) -> list[Made]:
        """The messages that an expression makes, as far as it says."""
        match node:
            case _ if depth == 0:
                return []
            case ast.Call(func=function, args=[message]) if self._is_call(node):
                return self._made(message, depth - 1)
            case ast.Call(func=function):
                return self._made_by_call(function, node)
            case ast.Name(id=name) if len(values := self.values.get(name, [])) == self.stores[name]:
                return [made for value in values for made in self._made(value, depth - 1)]
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self._made(value, depth - 1)
            case ast.ListComp(elt=value) | ast.SetComp(elt=value) | ast.GeneratorExp(elt=value):
                return self._made(value, depth - 1)
            case ast.IfExp(body=one, orelse=other):
                return [*self._made(one, depth - 1), *self._made(other, depth - 1)]
            case ast.List(elts=values) | ast.Tuple(elts=values) | ast.Set(elts=values) | ast.BoolOp(values=values):
                return [made for value in values for made in self._made(value, depth - 1)]
            case _:
                return []

    def _made_by_call(self, function: ast.expr, call: ast.Call) -> list[Made]:
        kind, answers = self._value(function), False
        if isinstance(function, ast.Attribute) and function.attr == "reply":
            kind, answers = self._value(function.value), True
            if kind is _UNKNOWN and not call.args and not _is_name(function.value, self.itself):
                return [self._made_with(Message, "response", call, answers=True)]  # message.reply(…)
        if not (isinstance(kind, type) and issubclass(kind, Message)):
            return []
        default = kind.model_fields["method"].default
        method = "response" if answers and kind is Message else default if isinstance(default, str) else None
        return [self._made_with(kind, method, call, answers=answers)]

    def _made_with(self, kind: type[Message], method: str | None, call: ast.Call, *, answers: bool) -> Made:
        addressed = kind.model_fields["receiver"].default is not None
        receiver: str | None = None
        for keyword in call.keywords:
            match keyword.arg, keyword.value:
                case None, _:  # **fields
                    method, answers, addressed = None, False, False
                case "method", ast.Constant(value=str() as written):
                    method = written
                case "method", _:
                    method = None
                case "receiver", ast.Constant(value=None):
                    pass
                case "receiver", ast.Attribute(attr="sender"):
                    answers = True
                case "receiver", where:
                    answers, addressed, receiver = False, True, _address(where)
        return Made(kind, method, answers, addressed, receiver)

    def _value(self, node: ast.expr) -> object:
        """The class, module or function that a name stands for."""
        match node:
            case ast.Name(id=name) if name in self.stores or name in self.code.co_varnames + self.code.co_cellvars:
                return _UNKNOWN
            case ast.Name(id=name) if name in self.code.co_freevars:
                cells = dict(zip(self.code.co_freevars, self.function.__closure__ or (), strict=True))
                try:
                    return cells[name].cell_contents
                except ValueError:  # not filled yet
                    return _UNKNOWN
            case ast.Name(id=name):
                return self.function.__globals__.get(name, getattr(builtins, name, _UNKNOWN))
            case ast.Attribute(value=owner, attr=name):
                holder = self._value(owner)
                if isinstance(holder, ModuleType):
                    return vars(holder).get(name, _UNKNOWN)
                return inspect.getattr_static(holder, name, _UNKNOWN) if isinstance(holder, type) else _UNKNOWN
            case _:
                return _UNKNOWN


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, those of functions and classes inside it left out."""
    pending = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending[:0] = ast.iter_child_nodes(node)


def _address(node: ast.expr) -> str | None:
    """The address in `"anna"` and in `self.network["anna"]`."""
    match node:
        case ast.Subscript(value=ast.Attribute(attr="network"), slice=ast.Constant(value=str() as address)):
            return address
        case ast.Constant(value=str() as address):
            return address
        case _:
            return None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
