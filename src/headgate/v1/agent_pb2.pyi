from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_AGENT_ERROR: _ClassVar[FailureCode]
    FAILURE_CODE_TERMINAL: _ClassVar[FailureCode]
    FAILURE_CODE_DEADLINE_EXCEEDED: _ClassVar[FailureCode]
    FAILURE_CODE_BAD_REPLY: _ClassVar[FailureCode]
    FAILURE_CODE_TOO_LARGE: _ClassVar[FailureCode]
    FAILURE_CODE_UNKNOWN_AGENT: _ClassVar[FailureCode]
    FAILURE_CODE_RPC_ERROR: _ClassVar[FailureCode]
    FAILURE_CODE_CONTROLLED: _ClassVar[FailureCode]
    FAILURE_CODE_BUDGET: _ClassVar[FailureCode]

class Advice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADVICE_UNSPECIFIED: _ClassVar[Advice]
    ADVICE_RETRY: _ClassVar[Advice]
    ADVICE_PARK: _ClassVar[Advice]
    ADVICE_DEAD_LETTER: _ClassVar[Advice]
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_AGENT_ERROR: FailureCode
FAILURE_CODE_TERMINAL: FailureCode
FAILURE_CODE_DEADLINE_EXCEEDED: FailureCode
FAILURE_CODE_BAD_REPLY: FailureCode
FAILURE_CODE_TOO_LARGE: FailureCode
FAILURE_CODE_UNKNOWN_AGENT: FailureCode
FAILURE_CODE_RPC_ERROR: FailureCode
FAILURE_CODE_CONTROLLED: FailureCode
FAILURE_CODE_BUDGET: FailureCode
ADVICE_UNSPECIFIED: Advice
ADVICE_RETRY: Advice
ADVICE_PARK: Advice
ADVICE_DEAD_LETTER: Advice

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("contract_version", "agents", "serves_turns_stream", "sdk")
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    SERVES_TURNS_STREAM_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    contract_version: int
    agents: _containers.RepeatedCompositeFieldContainer[AgentDescription]
    serves_turns_stream: bool
    sdk: str
    def __init__(self, contract_version: _Optional[int] = ..., agents: _Optional[_Iterable[_Union[AgentDescription, _Mapping]]] = ..., serves_turns_stream: bool = ..., sdk: _Optional[str] = ...) -> None: ...

class AgentDescription(_message.Message):
    __slots__ = ("type", "revision", "event_types", "summary")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    type: str
    revision: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    summary: str
    def __init__(self, type: _Optional[str] = ..., revision: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., summary: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("id", "source", "type", "subject", "time_us", "datacontenttype", "dataschema", "data", "extensions", "traceparent", "correlation_id", "origin", "fingerprint", "has_id", "at_us")
    class ExtensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    DATASCHEMA_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    HAS_ID_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    id: str
    source: str
    type: str
    subject: str
    time_us: int
    datacontenttype: str
    dataschema: str
    data: bytes
    extensions: _containers.ScalarMap[str, str]
    traceparent: str
    correlation_id: str
    origin: Origin
    fingerprint: bytes
    has_id: bool
    at_us: int
    def __init__(self, id: _Optional[str] = ..., source: _Optional[str] = ..., type: _Optional[str] = ..., subject: _Optional[str] = ..., time_us: _Optional[int] = ..., datacontenttype: _Optional[str] = ..., dataschema: _Optional[str] = ..., data: _Optional[bytes] = ..., extensions: _Optional[_Mapping[str, str]] = ..., traceparent: _Optional[str] = ..., correlation_id: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ..., fingerprint: _Optional[bytes] = ..., has_id: bool = ..., at_us: _Optional[int] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("topic", "partition", "offset", "timestamp_ms")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("values", "logs")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class LogsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LogWindow
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LogWindow, _Mapping]] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, bytes]
    logs: _containers.MessageMap[str, LogWindow]
    def __init__(self, values: _Optional[_Mapping[str, bytes]] = ..., logs: _Optional[_Mapping[str, LogWindow]] = ...) -> None: ...

class LogWindow(_message.Message):
    __slots__ = ("length", "items")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    length: int
    items: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, length: _Optional[int] = ..., items: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TurnRequest(_message.Message):
    __slots__ = ("request_id", "agent_type", "key", "base", "turn", "attempt", "events", "state", "idempotency_key", "deadline_ms", "revision_pin", "traceparent", "asked_us", "tracestate", "stand_in")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    REVISION_PIN_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    ASKED_US_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    agent_type: str
    key: str
    base: bytes
    turn: int
    attempt: int
    events: _containers.RepeatedCompositeFieldContainer[Event]
    state: State
    idempotency_key: str
    deadline_ms: int
    revision_pin: str
    traceparent: str
    asked_us: int
    tracestate: str
    stand_in: str
    def __init__(self, request_id: _Optional[bytes] = ..., agent_type: _Optional[str] = ..., key: _Optional[str] = ..., base: _Optional[bytes] = ..., turn: _Optional[int] = ..., attempt: _Optional[int] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., state: _Optional[_Union[State, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., deadline_ms: _Optional[int] = ..., revision_pin: _Optional[str] = ..., traceparent: _Optional[str] = ..., asked_us: _Optional[int] = ..., tracestate: _Optional[str] = ..., stand_in: _Optional[str] = ...) -> None: ...

class TurnRequestBatch(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[TurnRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[TurnRequest, _Mapping]]] = ...) -> None: ...

class TurnReplyBatch(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[TurnReply]
    def __init__(self, replies: _Optional[_Iterable[_Union[TurnReply, _Mapping]]] = ...) -> None: ...

class TurnReply(_message.Message):
    __slots__ = ("request_id", "base", "taken_event_ids", "completed", "failed", "mutations", "outputs", "messages", "timers", "usage", "revision")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TAKEN_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    base: bytes
    taken_event_ids: _containers.RepeatedScalarFieldContainer[str]
    completed: Completed
    failed: Failure
    mutations: _containers.RepeatedCompositeFieldContainer[Mutation]
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    timers: _containers.RepeatedCompositeFieldContainer[TimerChange]
    usage: _containers.RepeatedCompositeFieldContainer[Usage]
    revision: str
    def __init__(self, request_id: _Optional[bytes] = ..., base: _Optional[bytes] = ..., taken_event_ids: _Optional[_Iterable[str]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ..., failed: _Optional[_Union[Failure, _Mapping]] = ..., mutations: _Optional[_Iterable[_Union[Mutation, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., timers: _Optional[_Iterable[_Union[TimerChange, _Mapping]]] = ..., usage: _Optional[_Iterable[_Union[Usage, _Mapping]]] = ..., revision: _Optional[str] = ...) -> None: ...

class Completed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "message", "advice", "retry_after_ms", "event_id", "wants_whole_lists")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    WANTS_WHOLE_LISTS_FIELD_NUMBER: _ClassVar[int]
    code: FailureCode
    message: str
    advice: Advice
    retry_after_ms: int
    event_id: str
    wants_whole_lists: bool
    def __init__(self, code: _Optional[_Union[FailureCode, str]] = ..., message: _Optional[str] = ..., advice: _Optional[_Union[Advice, str]] = ..., retry_after_ms: _Optional[int] = ..., event_id: _Optional[str] = ..., wants_whole_lists: bool = ...) -> None: ...

class Mutation(_message.Message):
    __slots__ = ("name", "set", "delete", "append")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    name: str
    set: bytes
    delete: bool
    append: bytes
    def __init__(self, name: _Optional[str] = ..., set: _Optional[bytes] = ..., delete: bool = ..., append: _Optional[bytes] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("type", "data", "datacontenttype", "subject", "extensions", "cause")
    class ExtensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    type: str
    data: bytes
    datacontenttype: str
    subject: str
    extensions: _containers.ScalarMap[str, str]
    cause: int
    def __init__(self, type: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., subject: _Optional[str] = ..., extensions: _Optional[_Mapping[str, str]] = ..., cause: _Optional[int] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("agent_type", "key", "type", "data", "datacontenttype", "cause", "extensions")
    class ExtensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    type: str
    data: bytes
    datacontenttype: str
    cause: int
    extensions: _containers.ScalarMap[str, str]
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., cause: _Optional[int] = ..., extensions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TimerChange(_message.Message):
    __slots__ = ("name", "after_ms", "at_us", "cancel", "data", "datacontenttype", "cause")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    name: str
    after_ms: int
    at_us: int
    cancel: bool
    data: bytes
    datacontenttype: str
    cause: int
    def __init__(self, name: _Optional[str] = ..., after_ms: _Optional[int] = ..., at_us: _Optional[int] = ..., cancel: bool = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., cause: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("model", "input_tokens", "output_tokens", "duration_ms", "cost_micros", "currency")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    model: str
    input_tokens: int
    output_tokens: int
    duration_ms: int
    cost_micros: int
    currency: str
    def __init__(self, model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., duration_ms: _Optional[int] = ..., cost_micros: _Optional[int] = ..., currency: _Optional[str] = ...) -> None: ...
