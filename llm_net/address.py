"""Who a message comes from and goes to. Knows an id and nothing else of what lives there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, TypeAlias, overload

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema


class AbstractObject:
    """Whatever can send or receive a message: a live agent, or a `Reference` to one. Equal, and hashed, by id."""

    __slots__ = ()

    id: str

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, AbstractObject) and self.id == other.id)

    def __hash__(self) -> int:
        return hash(self.id)


class Reference(AbstractObject):
    """An agent that is not at hand: only its id, or its address such as `market/sellers/anna`."""

    __slots__ = ("id",)

    def __init__(self, id: str) -> None:
        self.id = id

    def __repr__(self) -> str:
        return f"Reference({self.id!r})"


@dataclass(frozen=True, slots=True)
class Border:
    """How live objects are written where messages leave a process, and found where they enter it: a pydantic `context`.

    Args:
        address: the address under which the other side knows this one of ours.
        agent: who lives at an address that the other side wrote.
        message: the message with an id that the other side wrote.
    """

    address: Callable[[AbstractObject], str] = attrgetter("id")
    agent: Callable[[str], AbstractObject] = Reference
    message: Callable[[str], object] = str


def _written(party: AbstractObject, info: SerializationInfo) -> str:
    return info.context.address(party) if isinstance(info.context, Border) else party.id


def _found(address: str, info: ValidationInfo) -> AbstractObject:
    return info.context.agent(address) if isinstance(info.context, Border) else Reference(address)


class _AddressSchema:
    """Takes a live object as it is and a string as a reference; gives a string."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.union_schema(
            [
                core_schema.is_instance_schema(AbstractObject),
                core_schema.with_info_after_validator_function(_found, core_schema.str_schema(min_length=1)),
            ],
            mode="left_to_right",
            serialization=core_schema.plain_serializer_function_ser_schema(
                _written, info_arg=True, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string"}


Address: TypeAlias = Annotated[AbstractObject, _AddressSchema]
"""The type of a field that names an agent: give an agent or an id."""

if TYPE_CHECKING:

    class Party:
        """The type of a field that you give an agent, an id or None, and that then holds an agent or None."""

        @overload
        def __get__(self, message: None, kind: type) -> Party: ...
        @overload
        def __get__(self, message: object, kind: type) -> AbstractObject | None: ...
        def __get__(self, message: object, kind: type) -> Party | AbstractObject | None: ...
        def __set__(self, message: object, party: AbstractObject | str | None) -> None: ...

else:
    Party = Address | None
