"""Messages between host and worker, named as in FunctionRpc.proto of Azure/azure-functions-language-worker-protobuf.

The worker gets its message classes from the host's shell and never imports protobuf itself, so plain classes do. As in
proto3 an unknown field or a wrong type is an error, and None means a field that is not set.
"""

from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias, get_args, get_origin, get_type_hints

# `TypedData` has fields of these types' names.
_Bytes: TypeAlias = bytes
_Int: TypeAlias = int


class Message:
    """A message that holds only what its fields allow."""

    def __post_init__(self) -> None:
        """Refuse values of another type."""
        hints = get_type_hints(type(self))
        for part in fields(self):  # type: ignore[arg-type] # every subclass is a dataclass
            value = getattr(self, part.name)
            if value is None:
                continue
            if not _fits(value, hints[part.name]):
                raise TypeError(f"{type(self).__name__}.{part.name} cannot hold {value!r}")


def _fits(value: object, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(k, str) and _fits(v, inner[1]) for k, v in value.items())
    if origin is list:
        return isinstance(value, list) and all(_fits(v, inner[0]) for v in value)
    if inner:
        return any(_fits(value, option) for option in inner)
    return isinstance(value, int) if issubclass(hint, IntEnum) else isinstance(value, hint)


class _OneOf(Message):
    """A message of which exactly one field is set."""

    GROUP: ClassVar[str]

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 -- protobuf's name
        """The field that is set."""
        if group != self.GROUP:
            raise ValueError(group)
        present = (part.name for part in fields(self) if getattr(self, part.name) is not None)  # type: ignore[arg-type]
        return next(present, None)


@dataclass(kw_only=True)
class RpcException(Message):
    message: str = ""
    stack_trace: str = ""


@dataclass(kw_only=True)
class StatusResult(Message):
    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    status: int = 0
    exception: RpcException | None = None


@dataclass(kw_only=True)
class WorkerMetadata(Message):
    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: dict[str, str]


@dataclass(kw_only=True)
class WorkerInitResponse(Message):
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata | None = None
    result: StatusResult


@dataclass(kw_only=True)
class FunctionEnvironmentReloadResponse(Message):
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata | None = None
    result: StatusResult


class Direction(IntEnum):
    """Which way a binding carries data."""

    IN = 0
    OUT = 1
    INOUT = 2


@dataclass(kw_only=True)
class BindingInfo(Message):
    out: ClassVar[Direction] = Direction.OUT
    inout: ClassVar[Direction] = Direction.INOUT
    undefined: ClassVar[int] = 0
    type: str
    data_type: int | None = None
    direction: Direction


@dataclass(kw_only=True)
class RpcRetryOptions(Message):
    max_retry_count: int
    retry_strategy: str
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


@dataclass(kw_only=True)
class RpcFunctionMetadata(Message):
    name: str
    function_id: str
    managed_dependency_enabled: bool
    directory: str
    script_file: str
    entry_point: str
    is_proxy: bool
    language: str
    bindings: dict[str, BindingInfo]
    raw_bindings: list[str]
    retry_options: RpcRetryOptions | None
    properties: dict[str, str]


@dataclass(kw_only=True)
class FunctionMetadataResponse(Message):
    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata]
    result: StatusResult


@dataclass(kw_only=True)
class FunctionLoadResponse(Message):
    function_id: str
    result: StatusResult


@dataclass(kw_only=True)
class TypedData(_OneOf):
    GROUP: ClassVar[str] = "data"
    string: str | None = None
    json: str | None = None
    bytes: _Bytes | None = None
    http: "RpcHttp | None" = None
    int: _Int | None = None
    double: float | None = None


@dataclass(kw_only=True)
class RpcHttp(Message):
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    status_code: str = ""
    cookies: list[str] | None = None
    enable_content_negotiation: bool = False
    body: TypedData = field(default_factory=TypedData)


@dataclass(kw_only=True)
class ParameterBinding(_OneOf):
    GROUP: ClassVar[str] = "rpc_data"
    name: str
    data: TypedData | None = None

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 -- protobuf's name
        """`data` is the only kind of parameter that we send."""
        return "data" if group == self.GROUP and self.data is not None else None


@dataclass(kw_only=True)
class InvocationResponse(Message):
    invocation_id: str
    return_value: TypedData | None = None
    result: StatusResult
    output_data: list[ParameterBinding] = field(default_factory=list)
