from headgate.v1 import agent_pb2 as _agent_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryRequest(_message.Message):
    __slots__ = ("agent_type", "key", "name", "data", "datacontenttype", "state", "turn", "at_us")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    name: str
    data: bytes
    datacontenttype: str
    state: _agent_pb2.State
    turn: int
    at_us: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., state: _Optional[_Union[_agent_pb2.State, _Mapping]] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ...) -> None: ...

class QueryReply(_message.Message):
    __slots__ = ("data", "datacontenttype")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    datacontenttype: str
    def __init__(self, data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ...) -> None: ...
