"""Who a message comes from and goes to. Knows an id and nothing else of what lives there."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
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


class _AddressSchema:
    """Takes a live object as it is and a string as a reference; gives a string."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.union_schema(
            [
                core_schema.is_instance_schema(AbstractObject),
                core_schema.no_info_after_validator_function(Reference, core_schema.str_schema(min_length=1)),
            ],
            mode="left_to_right",
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda party: party.id, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string"}


Address: TypeAlias = Annotated[AbstractObject, _AddressSchema]
"""The type of a field that names an agent: give an agent or an id."""
