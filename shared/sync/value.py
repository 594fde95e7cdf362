"""Values of which there are as many as contacts times mailboxes."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_T]) -> type[_T]:
    """A slotted dataclass whose fields nobody sets again, as the type checker sees to; it can be hashed.

    A `frozen` one sees to it at run time as well, and sets each field by a call of its own for that: a tenth of all
    that reading a card takes (docs/performance.md). Values of which there are few are frozen.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
