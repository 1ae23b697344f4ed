from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Wire(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WIRE_HEADGATE: _ClassVar[Wire]
    WIRE_A2A: _ClassVar[Wire]
WIRE_HEADGATE: Wire
WIRE_A2A: Wire

class Service(_message.Message):
    __slots__ = ("endpoints", "connection", "limits")
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    connection: Connection
    limits: CallLimits
    def __init__(self, endpoints: _Optional[_Iterable[str]] = ..., connection: _Optional[_Union[Connection, _Mapping]] = ..., limits: _Optional[_Union[CallLimits, _Mapping]] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("wire", "tls", "token", "breaker")
    WIRE_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    wire: Wire
    tls: Tls
    token: Token
    breaker: Breaker
    def __init__(self, wire: _Optional[_Union[Wire, str]] = ..., tls: _Optional[_Union[Tls, _Mapping]] = ..., token: _Optional[_Union[Token, _Mapping]] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ...) -> None: ...

class Tls(_message.Message):
    __slots__ = ("ca_file", "cert_file", "key_file", "server_name")
    CA_FILE_FIELD_NUMBER: _ClassVar[int]
    CERT_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    ca_file: str
    cert_file: str
    key_file: str
    server_name: str
    def __init__(self, ca_file: _Optional[str] = ..., cert_file: _Optional[str] = ..., key_file: _Optional[str] = ..., server_name: _Optional[str] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("file", "env", "header", "scheme")
    FILE_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    file: str
    env: str
    header: str
    scheme: str
    def __init__(self, file: _Optional[str] = ..., env: _Optional[str] = ..., header: _Optional[str] = ..., scheme: _Optional[str] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("failures", "pause_ms", "pause_max_ms", "off")
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PAUSE_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_MAX_MS_FIELD_NUMBER: _ClassVar[int]
    OFF_FIELD_NUMBER: _ClassVar[int]
    failures: int
    pause_ms: int
    pause_max_ms: int
    off: bool
    def __init__(self, failures: _Optional[int] = ..., pause_ms: _Optional[int] = ..., pause_max_ms: _Optional[int] = ..., off: bool = ...) -> None: ...

class CallLimits(_message.Message):
    __slots__ = ("concurrency", "rate", "burst")
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    concurrency: int
    rate: float
    burst: int
    def __init__(self, concurrency: _Optional[int] = ..., rate: _Optional[float] = ..., burst: _Optional[int] = ...) -> None: ...
