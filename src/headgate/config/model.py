"""The shape of headgate.toml. What spans several keys is checked in `checks`."""

from datetime import timedelta
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from headgate.config.agents import AgentConfig, AgentName, is_host_port
from headgate.config.checks import find_contradictions
from headgate.config.cost import BudgetConfig, CostConfig, TenantConfig
from headgate.config.door import DoorConfig
from headgate.config.encryption import EncryptionConfig
from headgate.config.fields import Count, Duration, Section, Size, between
from headgate.config.kafka import KafkaConfig, TopicName
from headgate.config.keys import KeySource, parse_key_source
from headgate.config.money import TenantName
from headgate.config.redis import RedisConfig
from headgate.config.tracing import LoggingConfig, TracingConfig
from headgate.config.ui import UiConfig
from headgate.core.patterns import compile_pattern
from headgate.errors import ConfigError

# Flink refuses checkpoint intervals below this.
_MIN_INTERVAL = timedelta(milliseconds=10)
# Kafka keeps transaction.timeout.ms in an int32.
_INT32_MS = timedelta(milliseconds=2**31 - 1)


def _check_endpoint(text: str) -> str:
    if is_host_port(text):
        return text
    message = f"must be host:port, not {text!r}"
    raise ValueError(message)


def _check_key(text: str) -> str:
    parse_key_source(text)
    return text


def _check_pattern(text: str) -> str:
    compile_pattern(text)
    return text


class TopicNames(NamedTuple):
    """Headgate's own topics."""

    journal: str
    inbox: str
    registry: str
    outbox: str
    history: str
    dead_letters: str
    settled: str
    parked: str
    answers: str
    pressure: str
    replies: str
    spending: str


# It begins transactional ids and groups of Kafka, and stands in lists and logs.
_NAME_CHARS = 200


def _check_name(text: str) -> str:
    if text and text.isprintable() and len(text) <= _NAME_CHARS:
        return text
    message = f"must have 1 to {_NAME_CHARS} characters that can be printed"
    raise ValueError(message)


class JobConfig(Section):
    """The Flink job."""

    name: Annotated[str, AfterValidator(_check_name)] = "headgate"
    parallelism: Count = 1
    checkpoint_interval: Annotated[Duration, between(_MIN_INTERVAL, _INT32_MS)] = timedelta(
        seconds=1
    )
    profile: Literal["low-latency", "balanced", "frugal"] = "balanced"
    transaction_timeout: Annotated[Duration, between(_MIN_INTERVAL, _INT32_MS)] = timedelta(
        minutes=10
    )

    @property
    def bundle_ms(self) -> int:
        """python.fn-execution.bundle.time, in milliseconds."""
        return {"low-latency": 1, "balanced": 5, "frugal": 20}[self.profile]

    @property
    def gather_ms(self) -> int:
        """How long outcomes wait for others before they are journaled together, milliseconds."""
        return {"low-latency": 1, "balanced": 5, "frugal": 20}[self.profile]

    @property
    def buffer_ms(self) -> int:
        """execution.buffer-timeout.interval, in milliseconds: flushed as often as bundles end."""
        return self.bundle_ms


class LimitsConfig(Section):
    """What is bounded, so that one agent cannot take everything."""

    max_record: Size = 1_000_000
    endpoint_concurrency: Count = 1_000
    endpoint_queue: Size = 32_000_000
    dedup_window_count: Annotated[Count, Field(le=2**31 - 1)] = 1_000
    dedup_window: Duration = timedelta(minutes=10)


class HistoryConfig(Section):
    """The history store, and where it is asked."""

    store: Annotated[str, Field(min_length=1)] = "sqlite:///.headgate/history/history.db"
    endpoint: Annotated[str, AfterValidator(_check_endpoint)] = "127.0.0.1:7091"
    keep: Duration | None = None


class TopicConfig(Section):
    """A topic of events that the job reads."""

    name: TopicName
    format: Literal["cloudevents", "json", "bytes"] = "cloudevents"
    key: Annotated[str, AfterValidator(_check_key)] = "record"
    type: Annotated[str, Field(min_length=1)] | None = None

    @property
    def event_type(self) -> str:
        """The CloudEvents type of json and bytes records: `type`, else the topic's name."""
        return self.type or self.name

    @property
    def key_source(self) -> KeySource:
        """`key`, taken apart."""
        return parse_key_source(self.key)


class RouteConfig(Section):
    """Events of `topic`, those that match the pattern `type` if there is one, go to `agent`."""

    topic: TopicName
    agent: AgentName
    type: Annotated[str, AfterValidator(_check_pattern)] | None = None


class Config(Section):
    """The whole of headgate.toml."""

    kafka: KafkaConfig = KafkaConfig()
    job: JobConfig = JobConfig()
    limits: LimitsConfig = LimitsConfig()
    history: HistoryConfig = HistoryConfig()
    redis: RedisConfig = RedisConfig()
    tracing: TracingConfig = TracingConfig()
    logging: LoggingConfig = LoggingConfig()
    ui: UiConfig = UiConfig()
    door: DoorConfig = DoorConfig()
    encryption: EncryptionConfig | None = None
    topics: tuple[TopicConfig, ...] = ()
    routes: tuple[RouteConfig, ...] = ()
    agents: dict[AgentName, AgentConfig] = Field(default_factory=dict)
    cost: CostConfig = CostConfig()
    tenants: dict[TenantName, TenantConfig] = Field(default_factory=dict)
    budgets: tuple[BudgetConfig, ...] = ()

    @model_validator(mode="after")
    def _check_contradictions(self) -> Self:
        findings = find_contradictions(self)
        if findings:
            text = "; ".join(finding.text for finding in findings)
            kind = "contradiction"  # `explain` unpacks the findings by this name
            raise PydanticCustomError(kind, "{text}", {"text": text, "findings": findings})
        return self

    @property
    def topic_names(self) -> TopicNames:
        """Headgate's own topics, named after `kafka.prefix`."""
        kinds = (field.replace("_", "-") for field in TopicNames._fields)
        return TopicNames(*(f"{self.kafka.prefix}.{kind}" for kind in kinds))

    def routes_of(self, agent: str) -> tuple[RouteConfig, ...]:
        """The routes that lead to an agent type."""
        return tuple(route for route in self.routes if route.agent == agent)

    def to_json(self) -> str:
        """What `from_json` reads: how the job hands its configuration to workers."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The config that `to_json` wrote; raises ConfigError where it was tampered with."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            message = f"not a configuration that this version wrote: {error}"
            raise ConfigError(message) from error
