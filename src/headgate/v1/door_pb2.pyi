from headgate.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AskRequest(_message.Message):
    __slots__ = ("agent_type", "key", "type", "data", "datacontenttype", "request_id", "wait_ms", "extensions", "traceparent", "time_us")
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
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    type: str
    data: bytes
    datacontenttype: str
    request_id: str
    wait_ms: int
    extensions: _containers.ScalarMap[str, str]
    traceparent: str
    time_us: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., request_id: _Optional[str] = ..., wait_ms: _Optional[int] = ..., extensions: _Optional[_Mapping[str, str]] = ..., traceparent: _Optional[str] = ..., time_us: _Optional[int] = ...) -> None: ...

class GetReplyRequest(_message.Message):
    __slots__ = ("agent_type", "key", "request_id", "wait_ms")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    request_id: str
    wait_ms: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., request_id: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class AskReply(_message.Message):
    __slots__ = ("request_id", "status", "turn", "at_us", "result", "datacontenttype", "reason", "message", "outputs", "truncated")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[AskReply.Status]
        PENDING: _ClassVar[AskReply.Status]
        DONE: _ClassVar[AskReply.Status]
        REFUSED: _ClassVar[AskReply.Status]
        GIVEN_UP: _ClassVar[AskReply.Status]
    STATUS_UNSPECIFIED: AskReply.Status
    PENDING: AskReply.Status
    DONE: AskReply.Status
    REFUSED: AskReply.Status
    GIVEN_UP: AskReply.Status
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    status: AskReply.Status
    turn: int
    at_us: int
    result: bytes
    datacontenttype: str
    reason: str
    message: str
    outputs: _containers.RepeatedScalarFieldContainer[bytes]
    truncated: bool
    def __init__(self, request_id: _Optional[str] = ..., status: _Optional[_Union[AskReply.Status, str]] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ..., result: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., outputs: _Optional[_Iterable[bytes]] = ..., truncated: bool = ...) -> None: ...

class TellRequest(_message.Message):
    __slots__ = ("agent_type", "key", "name", "data", "datacontenttype", "signal_id")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    name: str
    data: bytes
    datacontenttype: str
    signal_id: str
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., signal_id: _Optional[str] = ...) -> None: ...

class TellReply(_message.Message):
    __slots__ = ("signal_id",)
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    signal_id: str
    def __init__(self, signal_id: _Optional[str] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ("agent_type", "key", "at_least")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    at_least: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., at_least: _Optional[int] = ...) -> None: ...

class InstanceState(_message.Message):
    __slots__ = ("turn", "at_us", "values", "lists", "truncated", "waiting", "parked")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class ListsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ListState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ListState, _Mapping]] = ...) -> None: ...
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    turn: int
    at_us: int
    values: _containers.ScalarMap[str, bytes]
    lists: _containers.MessageMap[str, ListState]
    truncated: bool
    waiting: int
    parked: bool
    def __init__(self, turn: _Optional[int] = ..., at_us: _Optional[int] = ..., values: _Optional[_Mapping[str, bytes]] = ..., lists: _Optional[_Mapping[str, ListState]] = ..., truncated: bool = ..., waiting: _Optional[int] = ..., parked: bool = ...) -> None: ...

class QueryInstanceRequest(_message.Message):
    __slots__ = ("agent_type", "key", "name", "data", "datacontenttype", "at_least")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    name: str
    data: bytes
    datacontenttype: str
    at_least: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., at_least: _Optional[int] = ...) -> None: ...

class ListState(_message.Message):
    __slots__ = ("length", "newest")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    length: int
    newest: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, length: _Optional[int] = ..., newest: _Optional[_Iterable[bytes]] = ...) -> None: ...

class StartWorkflowRequest(_message.Message):
    __slots__ = ("agent_type", "key", "data", "wait_ms")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    data: bytes
    wait_ms: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., data: _Optional[bytes] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class GetWorkflowRequest(_message.Message):
    __slots__ = ("agent_type", "key", "wait_ms")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    wait_ms: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class WorkflowState(_message.Message):
    __slots__ = ("status", "turn", "result", "message", "waits_for", "taken_steps", "run")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    TAKEN_STEPS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    status: str
    turn: int
    result: bytes
    message: str
    waits_for: _containers.RepeatedScalarFieldContainer[str]
    taken_steps: int
    run: int
    def __init__(self, status: _Optional[str] = ..., turn: _Optional[int] = ..., result: _Optional[bytes] = ..., message: _Optional[str] = ..., waits_for: _Optional[_Iterable[str]] = ..., taken_steps: _Optional[int] = ..., run: _Optional[int] = ...) -> None: ...
