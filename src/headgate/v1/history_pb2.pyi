from headgate.v1 import agent_pb2 as _agent_pb2
from headgate.v1 import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPositionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HistoryPosition(_message.Message):
    __slots__ = ("closed_us", "horizon_us", "instances", "turns", "partitions", "problem")
    CLOSED_US_FIELD_NUMBER: _ClassVar[int]
    HORIZON_US_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    closed_us: int
    horizon_us: int
    instances: int
    turns: int
    partitions: _containers.RepeatedCompositeFieldContainer[PartitionPosition]
    problem: str
    def __init__(self, closed_us: _Optional[int] = ..., horizon_us: _Optional[int] = ..., instances: _Optional[int] = ..., turns: _Optional[int] = ..., partitions: _Optional[_Iterable[_Union[PartitionPosition, _Mapping]]] = ..., problem: _Optional[str] = ...) -> None: ...

class PartitionPosition(_message.Message):
    __slots__ = ("partition", "next_offset", "end_offset", "closed_us", "late_turns", "strange_records", "lacks_beginning")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    CLOSED_US_FIELD_NUMBER: _ClassVar[int]
    LATE_TURNS_FIELD_NUMBER: _ClassVar[int]
    STRANGE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    LACKS_BEGINNING_FIELD_NUMBER: _ClassVar[int]
    partition: int
    next_offset: int
    end_offset: int
    closed_us: int
    late_turns: int
    strange_records: int
    lacks_beginning: bool
    def __init__(self, partition: _Optional[int] = ..., next_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., closed_us: _Optional[int] = ..., late_turns: _Optional[int] = ..., strange_records: _Optional[int] = ..., lacks_beginning: bool = ...) -> None: ...

class Moment(_message.Message):
    __slots__ = ("at_us", "turn", "valid_us", "wait_ms")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    VALID_US_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    turn: int
    valid_us: int
    wait_ms: int
    def __init__(self, at_us: _Optional[int] = ..., turn: _Optional[int] = ..., valid_us: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class GetStateAsOfRequest(_message.Message):
    __slots__ = ("agent_type", "key", "moment")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    moment: Moment
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., moment: _Optional[_Union[Moment, _Mapping]] = ...) -> None: ...

class StateAsOf(_message.Message):
    __slots__ = ("agent_type", "key", "turn", "at_us", "state", "changed", "is_incomplete", "parked")
    class ChangedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    turn: int
    at_us: int
    state: _agent_pb2.State
    changed: _containers.ScalarMap[str, int]
    is_incomplete: bool
    parked: _turn_pb2.ParkedInstance
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ..., state: _Optional[_Union[_agent_pb2.State, _Mapping]] = ..., changed: _Optional[_Mapping[str, int]] = ..., is_incomplete: bool = ..., parked: _Optional[_Union[_turn_pb2.ParkedInstance, _Mapping]] = ...) -> None: ...

class ListTurnsRequest(_message.Message):
    __slots__ = ("agent_type", "key", "first", "last", "newest")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    first: int
    last: int
    newest: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., first: _Optional[int] = ..., last: _Optional[int] = ..., newest: _Optional[int] = ...) -> None: ...

class TurnAsOf(_message.Message):
    __slots__ = ("record", "valid_us")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    VALID_US_FIELD_NUMBER: _ClassVar[int]
    record: _turn_pb2.HistoryRecord
    valid_us: int
    def __init__(self, record: _Optional[_Union[_turn_pb2.HistoryRecord, _Mapping]] = ..., valid_us: _Optional[int] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("agent_type", "key", "moment", "path")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    moment: Moment
    path: str
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., moment: _Optional[_Union[Moment, _Mapping]] = ..., path: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("agent_type", "key", "turn", "at_us", "parts", "turns", "is_incomplete")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    turn: int
    at_us: int
    parts: _containers.RepeatedCompositeFieldContainer[Explained]
    turns: _containers.RepeatedCompositeFieldContainer[TurnAsOf]
    is_incomplete: bool
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[Explained, _Mapping]]] = ..., turns: _Optional[_Iterable[_Union[TurnAsOf, _Mapping]]] = ..., is_incomplete: bool = ...) -> None: ...

class Explained(_message.Message):
    __slots__ = ("path", "value", "list", "turn", "may_be_older")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    MAY_BE_OLDER_FIELD_NUMBER: _ClassVar[int]
    path: str
    value: bytes
    list: _agent_pb2.LogWindow
    turn: int
    may_be_older: bool
    def __init__(self, path: _Optional[str] = ..., value: _Optional[bytes] = ..., list: _Optional[_Union[_agent_pb2.LogWindow, _Mapping]] = ..., turn: _Optional[int] = ..., may_be_older: bool = ...) -> None: ...

class SnapshotRequest(_message.Message):
    __slots__ = ("moment", "agent_type", "where", "only")
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    moment: Moment
    agent_type: str
    where: _containers.RepeatedCompositeFieldContainer[Condition]
    only: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, moment: _Optional[_Union[Moment, _Mapping]] = ..., agent_type: _Optional[str] = ..., where: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ..., only: _Optional[_Iterable[str]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("path", "equals")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EQUALS_FIELD_NUMBER: _ClassVar[int]
    path: str
    equals: str
    def __init__(self, path: _Optional[str] = ..., equals: _Optional[str] = ...) -> None: ...

class InFlightMessage(_message.Message):
    __slots__ = ("id", "sender", "receiver", "type", "data", "sent_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SENT_US_FIELD_NUMBER: _ClassVar[int]
    id: str
    sender: str
    receiver: str
    type: str
    data: bytes
    sent_us: int
    def __init__(self, id: _Optional[str] = ..., sender: _Optional[str] = ..., receiver: _Optional[str] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ..., sent_us: _Optional[int] = ...) -> None: ...
