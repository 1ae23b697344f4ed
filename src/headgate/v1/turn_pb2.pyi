from headgate.v1 import agent_pb2 as _agent_pb2
from headgate.v1 import connection_pb2 as _connection_pb2
from headgate.v1 import cost_pb2 as _cost_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InvokeRequest(_message.Message):
    __slots__ = ("call", "hello", "decide", "batch", "note", "terms")
    CALL_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DECIDE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    call: Call
    hello: Hello
    decide: Decision
    batch: InvokeBatch
    note: Note
    terms: _cost_pb2.Terms
    def __init__(self, call: _Optional[_Union[Call, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., decide: _Optional[_Union[Decision, _Mapping]] = ..., batch: _Optional[_Union[InvokeBatch, _Mapping]] = ..., note: _Optional[_Union[Note, _Mapping]] = ..., terms: _Optional[_Union[_cost_pb2.Terms, _Mapping]] = ...) -> None: ...

class Note(_message.Message):
    __slots__ = ("topic", "key", "value")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    key: bytes
    value: bytes
    def __init__(self, topic: _Optional[str] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("outcome", "partition")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    partition: int
    def __init__(self, outcome: _Optional[_Union[Outcome, _Mapping]] = ..., partition: _Optional[int] = ...) -> None: ...

class InvokeBatch(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, requests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("nonce", "shards")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    shards: _containers.RepeatedCompositeFieldContainer[Shard]
    def __init__(self, nonce: _Optional[bytes] = ..., shards: _Optional[_Iterable[_Union[Shard, _Mapping]]] = ...) -> None: ...

class Shard(_message.Message):
    __slots__ = ("partition", "key")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    partition: int
    key: bytes
    def __init__(self, partition: _Optional[int] = ..., key: _Optional[bytes] = ...) -> None: ...

class GateInput(_message.Message):
    __slots__ = ("address", "shard", "event", "control", "refused", "inspect", "message", "registry_position")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    INSPECT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_POSITION_FIELD_NUMBER: _ClassVar[int]
    address: str
    shard: int
    event: _agent_pb2.Event
    control: Control
    refused: DeadLetter
    inspect: Inspect
    message: AgentMessage
    registry_position: int
    def __init__(self, address: _Optional[str] = ..., shard: _Optional[int] = ..., event: _Optional[_Union[_agent_pb2.Event, _Mapping]] = ..., control: _Optional[_Union[Control, _Mapping]] = ..., refused: _Optional[_Union[DeadLetter, _Mapping]] = ..., inspect: _Optional[_Union[Inspect, _Mapping]] = ..., message: _Optional[_Union[AgentMessage, _Mapping]] = ..., registry_position: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("request", "endpoint", "policy", "state_bytes", "partition", "service", "whole_lists", "tenant", "untraced")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    WHOLE_LISTS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    UNTRACED_FIELD_NUMBER: _ClassVar[int]
    request: _agent_pb2.TurnRequest
    endpoint: str
    policy: Policy
    state_bytes: int
    partition: int
    service: bytes
    whole_lists: bool
    tenant: str
    untraced: bool
    def __init__(self, request: _Optional[_Union[_agent_pb2.TurnRequest, _Mapping]] = ..., endpoint: _Optional[str] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., state_bytes: _Optional[int] = ..., partition: _Optional[int] = ..., service: _Optional[bytes] = ..., whole_lists: bool = ..., tenant: _Optional[str] = ..., untraced: bool = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("deadline_ms", "max_attempts", "backoff_initial_ms", "backoff_max_ms", "backoff_multiplier", "backoff_jitter", "max_batch", "on_exhausted", "max_state_bytes", "log_window", "dedup_window_count", "dedup_window_ms", "state_ttl_ms", "mailbox_limit", "holds_back")
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_INITIAL_MS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MAX_MS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_JITTER_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    ON_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    MAX_STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOG_WINDOW_FIELD_NUMBER: _ClassVar[int]
    DEDUP_WINDOW_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEDUP_WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    STATE_TTL_MS_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_LIMIT_FIELD_NUMBER: _ClassVar[int]
    HOLDS_BACK_FIELD_NUMBER: _ClassVar[int]
    deadline_ms: int
    max_attempts: int
    backoff_initial_ms: int
    backoff_max_ms: int
    backoff_multiplier: float
    backoff_jitter: float
    max_batch: int
    on_exhausted: _agent_pb2.Advice
    max_state_bytes: int
    log_window: int
    dedup_window_count: int
    dedup_window_ms: int
    state_ttl_ms: int
    mailbox_limit: int
    holds_back: bool
    def __init__(self, deadline_ms: _Optional[int] = ..., max_attempts: _Optional[int] = ..., backoff_initial_ms: _Optional[int] = ..., backoff_max_ms: _Optional[int] = ..., backoff_multiplier: _Optional[float] = ..., backoff_jitter: _Optional[float] = ..., max_batch: _Optional[int] = ..., on_exhausted: _Optional[_Union[_agent_pb2.Advice, str]] = ..., max_state_bytes: _Optional[int] = ..., log_window: _Optional[int] = ..., dedup_window_count: _Optional[int] = ..., dedup_window_ms: _Optional[int] = ..., state_ttl_ms: _Optional[int] = ..., mailbox_limit: _Optional[int] = ..., holds_back: bool = ...) -> None: ...

class JournalRecord(_message.Message):
    __slots__ = ("outcome", "tick", "batch")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    tick: Tick
    batch: JournalBatch
    def __init__(self, outcome: _Optional[_Union[Outcome, _Mapping]] = ..., tick: _Optional[_Union[Tick, _Mapping]] = ..., batch: _Optional[_Union[JournalBatch, _Mapping]] = ...) -> None: ...

class JournalBatch(_message.Message):
    __slots__ = ("records", "made")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MADE_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedScalarFieldContainer[bytes]
    made: CallsMade
    def __init__(self, records: _Optional[_Iterable[bytes]] = ..., made: _Optional[_Union[CallsMade, _Mapping]] = ...) -> None: ...

class CallsMade(_message.Message):
    __slots__ = ("agents",)
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentCalls]
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentCalls, _Mapping]]] = ...) -> None: ...

class AgentCalls(_message.Message):
    __slots__ = ("agent_type", "within_ms", "calls", "took_ms", "usage", "costs")
    class CostsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WITHIN_MS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    within_ms: _containers.RepeatedScalarFieldContainer[int]
    calls: _containers.RepeatedScalarFieldContainer[int]
    took_ms: int
    usage: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Usage]
    costs: _containers.ScalarMap[str, int]
    def __init__(self, agent_type: _Optional[str] = ..., within_ms: _Optional[_Iterable[int]] = ..., calls: _Optional[_Iterable[int]] = ..., took_ms: _Optional[int] = ..., usage: _Optional[_Iterable[_Union[_agent_pb2.Usage, _Mapping]]] = ..., costs: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ("nonce", "start", "written_us", "partition", "partitions", "drops", "calls")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_US_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    start: bool
    written_us: int
    partition: int
    partitions: int
    drops: int
    calls: CallsTold
    def __init__(self, nonce: _Optional[bytes] = ..., start: bool = ..., written_us: _Optional[int] = ..., partition: _Optional[int] = ..., partitions: _Optional[int] = ..., drops: _Optional[int] = ..., calls: _Optional[_Union[CallsTold, _Mapping]] = ...) -> None: ...

class CallsTold(_message.Message):
    __slots__ = ("endpoints", "repeats")
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointCalls]
    repeats: int
    def __init__(self, endpoints: _Optional[_Iterable[_Union[EndpointCalls, _Mapping]]] = ..., repeats: _Optional[int] = ...) -> None: ...

class EndpointCalls(_message.Message):
    __slots__ = ("agent_type", "endpoint", "in_flight", "oldest_ms", "left_out", "down")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_MS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    DOWN_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    endpoint: str
    in_flight: int
    oldest_ms: int
    left_out: bool
    down: bool
    def __init__(self, agent_type: _Optional[str] = ..., endpoint: _Optional[str] = ..., in_flight: _Optional[int] = ..., oldest_ms: _Optional[int] = ..., left_out: bool = ..., down: bool = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("agent_type", "key", "base", "turn", "attempt", "outcome_id", "taken", "completed", "failed", "controlled", "mutations", "outputs", "messages", "timers", "usage", "revision", "called_us", "answered_us", "traceparent", "caused_at_us", "asked_us", "event_traceparents", "tracestate", "tenant", "stand_in", "cost_nanos")
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_ID_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CONTROLLED_FIELD_NUMBER: _ClassVar[int]
    MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CALLED_US_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_US_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    CAUSED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ASKED_US_FIELD_NUMBER: _ClassVar[int]
    EVENT_TRACEPARENTS_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    STAND_IN_FIELD_NUMBER: _ClassVar[int]
    COST_NANOS_FIELD_NUMBER: _ClassVar[int]
    agent_type: str
    key: str
    base: bytes
    turn: int
    attempt: int
    outcome_id: bytes
    taken: _containers.RepeatedCompositeFieldContainer[EventRef]
    completed: _agent_pb2.Completed
    failed: Failed
    controlled: Controlled
    mutations: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Mutation]
    outputs: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Output]
    messages: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Message]
    timers: _containers.RepeatedCompositeFieldContainer[_agent_pb2.TimerChange]
    usage: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Usage]
    revision: str
    called_us: int
    answered_us: int
    traceparent: str
    caused_at_us: int
    asked_us: int
    event_traceparents: _containers.RepeatedScalarFieldContainer[str]
    tracestate: str
    tenant: str
    stand_in: str
    cost_nanos: int
    def __init__(self, agent_type: _Optional[str] = ..., key: _Optional[str] = ..., base: _Optional[bytes] = ..., turn: _Optional[int] = ..., attempt: _Optional[int] = ..., outcome_id: _Optional[bytes] = ..., taken: _Optional[_Iterable[_Union[EventRef, _Mapping]]] = ..., completed: _Optional[_Union[_agent_pb2.Completed, _Mapping]] = ..., failed: _Optional[_Union[Failed, _Mapping]] = ..., controlled: _Optional[_Union[Controlled, _Mapping]] = ..., mutations: _Optional[_Iterable[_Union[_agent_pb2.Mutation, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[_agent_pb2.Output, _Mapping]]] = ..., messages: _Optional[_Iterable[_Union[_agent_pb2.Message, _Mapping]]] = ..., timers: _Optional[_Iterable[_Union[_agent_pb2.TimerChange, _Mapping]]] = ..., usage: _Optional[_Iterable[_Union[_agent_pb2.Usage, _Mapping]]] = ..., revision: _Optional[str] = ..., called_us: _Optional[int] = ..., answered_us: _Optional[int] = ..., traceparent: _Optional[str] = ..., caused_at_us: _Optional[int] = ..., asked_us: _Optional[int] = ..., event_traceparents: _Optional[_Iterable[str]] = ..., tracestate: _Optional[str] = ..., tenant: _Optional[str] = ..., stand_in: _Optional[str] = ..., cost_nanos: _Optional[int] = ...) -> None: ...

class EventRef(_message.Message):
    __slots__ = ("fingerprint", "id", "source", "correlation_id", "origin", "has_id", "time_us")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HAS_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    fingerprint: bytes
    id: str
    source: str
    correlation_id: str
    origin: _agent_pb2.Origin
    has_id: bool
    time_us: int
    def __init__(self, fingerprint: _Optional[bytes] = ..., id: _Optional[str] = ..., source: _Optional[str] = ..., correlation_id: _Optional[str] = ..., origin: _Optional[_Union[_agent_pb2.Origin, _Mapping]] = ..., has_id: bool = ..., time_us: _Optional[int] = ...) -> None: ...

class Failed(_message.Message):
    __slots__ = ("code", "message", "retry_after_ms", "park", "dead_letter", "names_event", "batch", "blamed", "wants_whole_lists")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    PARK_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    NAMES_EVENT_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    BLAMED_FIELD_NUMBER: _ClassVar[int]
    WANTS_WHOLE_LISTS_FIELD_NUMBER: _ClassVar[int]
    code: _agent_pb2.FailureCode
    message: str
    retry_after_ms: int
    park: bool
    dead_letter: DeadLetter
    names_event: bool
    batch: int
    blamed: bytes
    wants_whole_lists: bool
    def __init__(self, code: _Optional[_Union[_agent_pb2.FailureCode, str]] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., park: bool = ..., dead_letter: _Optional[_Union[DeadLetter, _Mapping]] = ..., names_event: bool = ..., batch: _Optional[int] = ..., blamed: _Optional[bytes] = ..., wants_whole_lists: bool = ...) -> None: ...

class Controlled(_message.Message):
    __slots__ = ("verb", "control_id", "reason", "dead_letter")
    class Verb(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERB_UNSPECIFIED: _ClassVar[Controlled.Verb]
        RESUME: _ClassVar[Controlled.Verb]
        SKIP: _ClassVar[Controlled.Verb]
        CANCEL: _ClassVar[Controlled.Verb]
        RESET: _ClassVar[Controlled.Verb]
        EXPIRE: _ClassVar[Controlled.Verb]
        PARK: _ClassVar[Controlled.Verb]
    VERB_UNSPECIFIED: Controlled.Verb
    RESUME: Controlled.Verb
    SKIP: Controlled.Verb
    CANCEL: Controlled.Verb
    RESET: Controlled.Verb
    EXPIRE: Controlled.Verb
    PARK: Controlled.Verb
    VERB_FIELD_NUMBER: _ClassVar[int]
    CONTROL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    verb: Controlled.Verb
    control_id: str
    reason: str
    dead_letter: DeadLetter
    def __init__(self, verb: _Optional[_Union[Controlled.Verb, str]] = ..., control_id: _Optional[str] = ..., reason: _Optional[str] = ..., dead_letter: _Optional[_Union[DeadLetter, _Mapping]] = ...) -> None: ...

class InboxRecord(_message.Message):
    __slots__ = ("message", "control", "replayed", "inspect", "signal", "asked")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    INSPECT_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    message: AgentMessage
    control: Control
    replayed: ReplayedRecord
    inspect: Inspect
    signal: Signal
    asked: _agent_pb2.Event
    def __init__(self, message: _Optional[_Union[AgentMessage, _Mapping]] = ..., control: _Optional[_Union[Control, _Mapping]] = ..., replayed: _Optional[_Union[ReplayedRecord, _Mapping]] = ..., inspect: _Optional[_Union[Inspect, _Mapping]] = ..., signal: _Optional[_Union[Signal, _Mapping]] = ..., asked: _Optional[_Union[_agent_pb2.Event, _Mapping]] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("signal_id", "name", "data", "datacontenttype")
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    signal_id: str
    name: str
    data: bytes
    datacontenttype: str
    def __init__(self, signal_id: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ...) -> None: ...

class Inspect(_message.Message):
    __slots__ = ("request_id", "agent_type")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    agent_type: str
    def __init__(self, request_id: _Optional[str] = ..., agent_type: _Optional[str] = ...) -> None: ...

class ReplayedRecord(_message.Message):
    __slots__ = ("letter_id", "address", "topic", "key", "value", "headers", "timestamp_ms", "event")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    LETTER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    letter_id: str
    address: str
    topic: str
    key: bytes
    value: bytes
    headers: _containers.ScalarMap[str, bytes]
    timestamp_ms: int
    event: _agent_pb2.Event
    def __init__(self, letter_id: _Optional[str] = ..., address: _Optional[str] = ..., topic: _Optional[str] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., headers: _Optional[_Mapping[str, bytes]] = ..., timestamp_ms: _Optional[int] = ..., event: _Optional[_Union[_agent_pb2.Event, _Mapping]] = ...) -> None: ...

class AgentMessage(_message.Message):
    __slots__ = ("sender", "turn", "index", "at_us", "event")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    sender: str
    turn: int
    index: int
    at_us: int
    event: _agent_pb2.Event
    def __init__(self, sender: _Optional[str] = ..., turn: _Optional[int] = ..., index: _Optional[int] = ..., at_us: _Optional[int] = ..., event: _Optional[_Union[_agent_pb2.Event, _Mapping]] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("control_id", "verb", "reason")
    CONTROL_ID_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    control_id: str
    verb: Controlled.Verb
    reason: str
    def __init__(self, control_id: _Optional[str] = ..., verb: _Optional[_Union[Controlled.Verb, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class HistoryRecord(_message.Message):
    __slots__ = ("outcome", "at_us", "base_after", "journal_partition", "journal_offset", "journal_ms", "schema_version", "closed")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    BASE_AFTER_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_PARTITION_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_OFFSET_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    at_us: int
    base_after: bytes
    journal_partition: int
    journal_offset: int
    journal_ms: int
    schema_version: int
    closed: Closed
    def __init__(self, outcome: _Optional[_Union[Outcome, _Mapping]] = ..., at_us: _Optional[int] = ..., base_after: _Optional[bytes] = ..., journal_partition: _Optional[int] = ..., journal_offset: _Optional[int] = ..., journal_ms: _Optional[int] = ..., schema_version: _Optional[int] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("partition", "until_us")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_US_FIELD_NUMBER: _ClassVar[int]
    partition: int
    until_us: int
    def __init__(self, partition: _Optional[int] = ..., until_us: _Optional[int] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("reason", "message", "origin", "address", "record_key", "record_value", "record_headers", "truncated", "event_id", "event_type", "code", "attempts", "id", "at_ms")
    class RecordHeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RECORD_KEY_FIELD_NUMBER: _ClassVar[int]
    RECORD_VALUE_FIELD_NUMBER: _ClassVar[int]
    RECORD_HEADERS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    origin: _agent_pb2.Origin
    address: str
    record_key: bytes
    record_value: bytes
    record_headers: _containers.ScalarMap[str, bytes]
    truncated: bool
    event_id: str
    event_type: str
    code: _agent_pb2.FailureCode
    attempts: int
    id: str
    at_ms: int
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., origin: _Optional[_Union[_agent_pb2.Origin, _Mapping]] = ..., address: _Optional[str] = ..., record_key: _Optional[bytes] = ..., record_value: _Optional[bytes] = ..., record_headers: _Optional[_Mapping[str, bytes]] = ..., truncated: bool = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., code: _Optional[_Union[_agent_pb2.FailureCode, str]] = ..., attempts: _Optional[int] = ..., id: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class ParkedInstance(_message.Message):
    __slots__ = ("turn", "at_us", "code", "message", "event_id", "schema_version")
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    turn: int
    at_us: int
    code: _agent_pb2.FailureCode
    message: str
    event_id: str
    schema_version: int
    def __init__(self, turn: _Optional[int] = ..., at_us: _Optional[int] = ..., code: _Optional[_Union[_agent_pb2.FailureCode, str]] = ..., message: _Optional[str] = ..., event_id: _Optional[str] = ..., schema_version: _Optional[int] = ...) -> None: ...

class InstanceReport(_message.Message):
    __slots__ = ("address", "now_ms", "control", "problem", "state", "truncated", "waiting", "busy_instances")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    BUSY_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    address: str
    now_ms: int
    control: StoredControl
    problem: str
    state: _agent_pb2.State
    truncated: bool
    waiting: _containers.RepeatedCompositeFieldContainer[_agent_pb2.Event]
    busy_instances: int
    def __init__(self, address: _Optional[str] = ..., now_ms: _Optional[int] = ..., control: _Optional[_Union[StoredControl, _Mapping]] = ..., problem: _Optional[str] = ..., state: _Optional[_Union[_agent_pb2.State, _Mapping]] = ..., truncated: bool = ..., waiting: _Optional[_Iterable[_Union[_agent_pb2.Event, _Mapping]]] = ..., busy_instances: _Optional[int] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("address", "request_id", "turn", "at_us", "answer", "given_up", "message", "outputs", "truncated", "schema_version")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    GIVEN_UP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    address: str
    request_id: str
    turn: int
    at_us: int
    answer: Answer
    given_up: str
    message: str
    outputs: _containers.RepeatedScalarFieldContainer[bytes]
    truncated: bool
    schema_version: int
    def __init__(self, address: _Optional[str] = ..., request_id: _Optional[str] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., given_up: _Optional[str] = ..., message: _Optional[str] = ..., outputs: _Optional[_Iterable[bytes]] = ..., truncated: bool = ..., schema_version: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("data", "datacontenttype", "refused")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATACONTENTTYPE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    datacontenttype: str
    refused: str
    def __init__(self, data: _Optional[bytes] = ..., datacontenttype: _Optional[str] = ..., refused: _Optional[str] = ...) -> None: ...

class SettledLetter(_message.Message):
    __slots__ = ("fate", "at_ms", "reason", "schema_version")
    class Fate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FATE_UNSPECIFIED: _ClassVar[SettledLetter.Fate]
        REPLAYED: _ClassVar[SettledLetter.Fate]
        DISCARDED: _ClassVar[SettledLetter.Fate]
    FATE_UNSPECIFIED: SettledLetter.Fate
    REPLAYED: SettledLetter.Fate
    DISCARDED: SettledLetter.Fate
    FATE_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    fate: SettledLetter.Fate
    at_ms: int
    reason: str
    schema_version: int
    def __init__(self, fate: _Optional[_Union[SettledLetter.Fate, str]] = ..., at_ms: _Optional[int] = ..., reason: _Optional[str] = ..., schema_version: _Optional[int] = ...) -> None: ...

class AgentSpec(_message.Message):
    __slots__ = ("type", "endpoints", "policy", "revision", "paused", "updated_ms", "schema_version", "connection", "limits", "routes", "draining", "canary", "promoted", "tenancy", "estimate_nanos")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_FIELD_NUMBER: _ClassVar[int]
    TENANCY_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_NANOS_FIELD_NUMBER: _ClassVar[int]
    type: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    policy: Policy
    revision: str
    paused: bool
    updated_ms: int
    schema_version: int
    connection: _connection_pb2.Connection
    limits: _connection_pb2.CallLimits
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    draining: bool
    canary: Canary
    promoted: bool
    tenancy: _cost_pb2.Tenancy
    estimate_nanos: int
    def __init__(self, type: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., revision: _Optional[str] = ..., paused: bool = ..., updated_ms: _Optional[int] = ..., schema_version: _Optional[int] = ..., connection: _Optional[_Union[_connection_pb2.Connection, _Mapping]] = ..., limits: _Optional[_Union[_connection_pb2.CallLimits, _Mapping]] = ..., routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., draining: bool = ..., canary: _Optional[_Union[Canary, _Mapping]] = ..., promoted: bool = ..., tenancy: _Optional[_Union[_cost_pb2.Tenancy, _Mapping]] = ..., estimate_nanos: _Optional[int] = ...) -> None: ...

class Canary(_message.Message):
    __slots__ = ("revision", "endpoints", "share")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    revision: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    share: int
    def __init__(self, revision: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ..., share: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("topic", "type")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    type: str
    def __init__(self, topic: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class JobRecord(_message.Message):
    __slots__ = ("name", "topics", "started_ms", "schema_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    started_ms: int
    schema_version: int
    def __init__(self, name: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ..., started_ms: _Optional[int] = ..., schema_version: _Optional[int] = ...) -> None: ...

class ScheduleRecord(_message.Message):
    __slots__ = ("name", "cron", "every_ms", "zone", "address", "type", "data", "catch_up", "updated_ms", "schema_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    cron: str
    every_ms: int
    zone: str
    address: str
    type: str
    data: bytes
    catch_up: str
    updated_ms: int
    schema_version: int
    def __init__(self, name: _Optional[str] = ..., cron: _Optional[str] = ..., every_ms: _Optional[int] = ..., zone: _Optional[str] = ..., address: _Optional[str] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ..., catch_up: _Optional[str] = ..., updated_ms: _Optional[int] = ..., schema_version: _Optional[int] = ...) -> None: ...

class StoredControl(_message.Message):
    __slots__ = ("schema_version", "base", "turn", "at_us", "mailbox_head", "mailbox_tail", "attempts", "not_before_us", "singles", "parked", "failure_code", "failure_message", "in_flight", "values", "logs", "window_oldest", "window_next", "window_ids", "ahead_head", "ahead_tail", "progress", "wake_ms", "controls", "pending_controls", "blamed", "kept", "timers", "whole_lists")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LogsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StoredLog
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StoredLog, _Mapping]] = ...) -> None: ...
    class ProgressEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class KeptEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class TimersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StoredTimer
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StoredTimer, _Mapping]] = ...) -> None: ...
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_HEAD_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_TAIL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_US_FIELD_NUMBER: _ClassVar[int]
    SINGLES_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_OLDEST_FIELD_NUMBER: _ClassVar[int]
    WINDOW_NEXT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_IDS_FIELD_NUMBER: _ClassVar[int]
    AHEAD_HEAD_FIELD_NUMBER: _ClassVar[int]
    AHEAD_TAIL_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    WAKE_MS_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    PENDING_CONTROLS_FIELD_NUMBER: _ClassVar[int]
    BLAMED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_LISTS_FIELD_NUMBER: _ClassVar[int]
    schema_version: int
    base: bytes
    turn: int
    at_us: int
    mailbox_head: int
    mailbox_tail: int
    attempts: int
    not_before_us: int
    singles: int
    parked: bool
    failure_code: _agent_pb2.FailureCode
    failure_message: str
    in_flight: InFlight
    values: _containers.ScalarMap[str, int]
    logs: _containers.MessageMap[str, StoredLog]
    window_oldest: int
    window_next: int
    window_ids: int
    ahead_head: int
    ahead_tail: int
    progress: _containers.ScalarMap[str, int]
    wake_ms: int
    controls: _containers.RepeatedScalarFieldContainer[str]
    pending_controls: _containers.RepeatedCompositeFieldContainer[Control]
    blamed: bytes
    kept: _containers.ScalarMap[str, bytes]
    timers: _containers.MessageMap[str, StoredTimer]
    whole_lists: bool
    def __init__(self, schema_version: _Optional[int] = ..., base: _Optional[bytes] = ..., turn: _Optional[int] = ..., at_us: _Optional[int] = ..., mailbox_head: _Optional[int] = ..., mailbox_tail: _Optional[int] = ..., attempts: _Optional[int] = ..., not_before_us: _Optional[int] = ..., singles: _Optional[int] = ..., parked: bool = ..., failure_code: _Optional[_Union[_agent_pb2.FailureCode, str]] = ..., failure_message: _Optional[str] = ..., in_flight: _Optional[_Union[InFlight, _Mapping]] = ..., values: _Optional[_Mapping[str, int]] = ..., logs: _Optional[_Mapping[str, StoredLog]] = ..., window_oldest: _Optional[int] = ..., window_next: _Optional[int] = ..., window_ids: _Optional[int] = ..., ahead_head: _Optional[int] = ..., ahead_tail: _Optional[int] = ..., progress: _Optional[_Mapping[str, int]] = ..., wake_ms: _Optional[int] = ..., controls: _Optional[_Iterable[str]] = ..., pending_controls: _Optional[_Iterable[_Union[Control, _Mapping]]] = ..., blamed: _Optional[bytes] = ..., kept: _Optional[_Mapping[str, bytes]] = ..., timers: _Optional[_Mapping[str, StoredTimer]] = ..., whole_lists: bool = ...) -> None: ...

class StoredTimer(_message.Message):
    __slots__ = ("due_us", "fingerprint", "fired")
    DUE_US_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FIRED_FIELD_NUMBER: _ClassVar[int]
    due_us: int
    fingerprint: bytes
    fired: bool
    def __init__(self, due_us: _Optional[int] = ..., fingerprint: _Optional[bytes] = ..., fired: bool = ...) -> None: ...

class StoredLog(_message.Message):
    __slots__ = ("length", "bytes")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    length: int
    bytes: int
    def __init__(self, length: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class StoredChunk(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, items: _Optional[_Iterable[bytes]] = ...) -> None: ...

class InFlight(_message.Message):
    __slots__ = ("attempt", "fingerprints", "sent_ms", "resend_ms", "sends", "promise")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    SENT_MS_FIELD_NUMBER: _ClassVar[int]
    RESEND_MS_FIELD_NUMBER: _ClassVar[int]
    SENDS_FIELD_NUMBER: _ClassVar[int]
    PROMISE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    fingerprints: _containers.RepeatedScalarFieldContainer[bytes]
    sent_ms: int
    resend_ms: int
    sends: int
    promise: bytes
    def __init__(self, attempt: _Optional[int] = ..., fingerprints: _Optional[_Iterable[bytes]] = ..., sent_ms: _Optional[int] = ..., resend_ms: _Optional[int] = ..., sends: _Optional[int] = ..., promise: _Optional[bytes] = ...) -> None: ...

class StoredSeen(_message.Message):
    __slots__ = ("place",)
    class Place(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PLACE_UNSPECIFIED: _ClassVar[StoredSeen.Place]
        HERE: _ClassVar[StoredSeen.Place]
        AHEAD: _ClassVar[StoredSeen.Place]
    PLACE_UNSPECIFIED: StoredSeen.Place
    HERE: StoredSeen.Place
    AHEAD: StoredSeen.Place
    PLACE_FIELD_NUMBER: _ClassVar[int]
    place: StoredSeen.Place
    def __init__(self, place: _Optional[_Union[StoredSeen.Place, str]] = ...) -> None: ...

class StoredAhead(_message.Message):
    __slots__ = ("fingerprint", "has_id", "origin")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    HAS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    fingerprint: bytes
    has_id: bool
    origin: _agent_pb2.Origin
    def __init__(self, fingerprint: _Optional[bytes] = ..., has_id: bool = ..., origin: _Optional[_Union[_agent_pb2.Origin, _Mapping]] = ...) -> None: ...

class StoredWindowEntry(_message.Message):
    __slots__ = ("at_us", "fingerprints")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    fingerprints: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, at_us: _Optional[int] = ..., fingerprints: _Optional[_Iterable[bytes]] = ...) -> None: ...
