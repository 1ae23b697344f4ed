from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Tenancy(_message.Message):
    __slots__ = ("name", "before")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    name: str
    before: str
    def __init__(self, name: _Optional[str] = ..., before: _Optional[str] = ...) -> None: ...

class Terms(_message.Message):
    __slots__ = ("currency", "prices", "tenants", "updated_ms", "schema_version")
    class TenantsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Share
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Share, _Mapping]] = ...) -> None: ...
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    currency: str
    prices: _containers.RepeatedCompositeFieldContainer[Price]
    tenants: _containers.MessageMap[str, Share]
    updated_ms: int
    schema_version: int
    def __init__(self, currency: _Optional[str] = ..., prices: _Optional[_Iterable[_Union[Price, _Mapping]]] = ..., tenants: _Optional[_Mapping[str, Share]] = ..., updated_ms: _Optional[int] = ..., schema_version: _Optional[int] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("model", "agent", "from_us", "input_nanos", "output_nanos", "call_nanos", "second_nanos")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    FROM_US_FIELD_NUMBER: _ClassVar[int]
    INPUT_NANOS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_NANOS_FIELD_NUMBER: _ClassVar[int]
    CALL_NANOS_FIELD_NUMBER: _ClassVar[int]
    SECOND_NANOS_FIELD_NUMBER: _ClassVar[int]
    model: str
    agent: str
    from_us: int
    input_nanos: int
    output_nanos: int
    call_nanos: int
    second_nanos: int
    def __init__(self, model: _Optional[str] = ..., agent: _Optional[str] = ..., from_us: _Optional[int] = ..., input_nanos: _Optional[int] = ..., output_nanos: _Optional[int] = ..., call_nanos: _Optional[int] = ..., second_nanos: _Optional[int] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("weight", "rate")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    weight: int
    rate: float
    def __init__(self, weight: _Optional[int] = ..., rate: _Optional[float] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("name", "per", "tenant", "agent", "window", "limit_nanos", "when_spent", "stand_in", "since_us", "by_hand", "updated_ms", "schema_version")
    class Per(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PER_UNSPECIFIED: _ClassVar[Budget.Per]
        TENANT: _ClassVar[Budget.Per]
        AGENT: _ClassVar[Budget.Per]
        INSTANCE: _ClassVar[Budget.Per]
    PER_UNSPECIFIED: Budget.Per
    TENANT: Budget.Per
    AGENT: Budget.Per
    INSTANCE: Budget.Per
    class Window(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WINDOW_UNSPECIFIED: _ClassVar[Budget.Window]
        HOUR: _ClassVar[Budget.Window]
        DAY: _ClassVar[Budget.Window]
        MONTH: _ClassVar[Budget.Window]
        TOTAL: _ClassVar[Budget.Window]
    WINDOW_UNSPECIFIED: Budget.Window
    HOUR: Budget.Window
    DAY: Budget.Window
    MONTH: Budget.Window
    TOTAL: Budget.Window
    class Spent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SPENT_UNSPECIFIED: _ClassVar[Budget.Spent]
        DEFER: _ClassVar[Budget.Spent]
        DEAD_LETTER: _ClassVar[Budget.Spent]
        DEGRADE: _ClassVar[Budget.Spent]
    SPENT_UNSPECIFIED: Budget.Spent
    DEFER: Budget.Spent
    DEAD_LETTER: Budget.Spent
    DEGRADE: Budget.Spent
    NAME_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LIMIT_NANOS_FIELD_NUMBER: _ClassVar[int]
    WHEN_SPENT_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    BY_HAND_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    per: Budget.Per
    tenant: str
    agent: str
    window: Budget.Window
    limit_nanos: int
    when_spent: Budget.Spent
    stand_in: str
    since_us: int
    by_hand: bool
    updated_ms: int
    schema_version: int
    def __init__(self, name: _Optional[str] = ..., per: _Optional[_Union[Budget.Per, str]] = ..., tenant: _Optional[str] = ..., agent: _Optional[str] = ..., window: _Optional[_Union[Budget.Window, str]] = ..., limit_nanos: _Optional[int] = ..., when_spent: _Optional[_Union[Budget.Spent, str]] = ..., stand_in: _Optional[str] = ..., since_us: _Optional[int] = ..., by_hand: bool = ..., updated_ms: _Optional[int] = ..., schema_version: _Optional[int] = ...) -> None: ...

class LedgerInput(_message.Message):
    __slots__ = ("asks", "settlements", "ready", "at_us", "shard")
    ASKS_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENTS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    asks: _containers.RepeatedCompositeFieldContainer[Ask]
    settlements: _containers.RepeatedCompositeFieldContainer[Settlement]
    ready: Ready
    at_us: int
    shard: int
    def __init__(self, asks: _Optional[_Iterable[_Union[Ask, _Mapping]]] = ..., settlements: _Optional[_Iterable[_Union[Settlement, _Mapping]]] = ..., ready: _Optional[_Union[Ready, _Mapping]] = ..., at_us: _Optional[int] = ..., shard: _Optional[int] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("address", "base", "tenant", "partition", "estimate_nanos", "events", "request")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_NANOS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    address: str
    base: bytes
    tenant: str
    partition: int
    estimate_nanos: int
    events: int
    request: bytes
    def __init__(self, address: _Optional[str] = ..., base: _Optional[bytes] = ..., tenant: _Optional[str] = ..., partition: _Optional[int] = ..., estimate_nanos: _Optional[int] = ..., events: _Optional[int] = ..., request: _Optional[bytes] = ...) -> None: ...

class Settlement(_message.Message):
    __slots__ = ("outcome_id", "address", "base", "tenant", "stand_in", "cost_nanos", "at_us", "called", "failed", "partition", "events")
    OUTCOME_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    COST_NANOS_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    CALLED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    outcome_id: bytes
    address: str
    base: bytes
    tenant: str
    stand_in: str
    cost_nanos: int
    at_us: int
    called: bool
    failed: bool
    partition: int
    events: int
    def __init__(self, outcome_id: _Optional[bytes] = ..., address: _Optional[str] = ..., base: _Optional[bytes] = ..., tenant: _Optional[str] = ..., stand_in: _Optional[str] = ..., cost_nanos: _Optional[int] = ..., at_us: _Optional[int] = ..., called: bool = ..., failed: bool = ..., partition: _Optional[int] = ..., events: _Optional[int] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("subtask", "subtasks")
    SUBTASK_FIELD_NUMBER: _ClassVar[int]
    SUBTASKS_FIELD_NUMBER: _ClassVar[int]
    subtask: int
    subtasks: int
    def __init__(self, subtask: _Optional[int] = ..., subtasks: _Optional[int] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("budget", "tenant", "agent", "key", "window_us", "spent_nanos", "calls", "refused", "held_nanos", "previous_us", "previous_nanos", "since_us", "schema_version", "refused_as_ms")
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_US_FIELD_NUMBER: _ClassVar[int]
    SPENT_NANOS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    HELD_NANOS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_US_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_NANOS_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    REFUSED_AS_MS_FIELD_NUMBER: _ClassVar[int]
    budget: str
    tenant: str
    agent: str
    key: str
    window_us: int
    spent_nanos: int
    calls: int
    refused: int
    held_nanos: int
    previous_us: int
    previous_nanos: int
    since_us: int
    schema_version: int
    refused_as_ms: int
    def __init__(self, budget: _Optional[str] = ..., tenant: _Optional[str] = ..., agent: _Optional[str] = ..., key: _Optional[str] = ..., window_us: _Optional[int] = ..., spent_nanos: _Optional[int] = ..., calls: _Optional[int] = ..., refused: _Optional[int] = ..., held_nanos: _Optional[int] = ..., previous_us: _Optional[int] = ..., previous_nanos: _Optional[int] = ..., since_us: _Optional[int] = ..., schema_version: _Optional[int] = ..., refused_as_ms: _Optional[int] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("base", "nanos", "accounts", "stand_in", "at_us")
    BASE_FIELD_NUMBER: _ClassVar[int]
    NANOS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    base: bytes
    nanos: int
    accounts: _containers.RepeatedScalarFieldContainer[str]
    stand_in: str
    at_us: int
    def __init__(self, base: _Optional[bytes] = ..., nanos: _Optional[int] = ..., accounts: _Optional[_Iterable[str]] = ..., stand_in: _Optional[str] = ..., at_us: _Optional[int] = ...) -> None: ...
