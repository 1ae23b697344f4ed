"""headgate.toml: what loads, what is refused, and where the error points."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from headgate.config import Config, KeySource, RouteConfig, load, loads
from headgate.errors import ConfigError, HeadgateError

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"
VALID = """\
[[topics]]
name = "messages"
[[routes]]
topic = "messages"
agent = "order"
[agents.order]
endpoint = "localhost:7070"
"""
PRICE = "[[cost.prices]]\n"
BUDGET = "[[budgets]]\nname = 'pot'\n"
DAILY = "window = 'day'\nlimit = 1\n"
SASL = """\
[kafka]
security_protocol = 'SASL_SSL'
sasl_mechanism = 'SCRAM-SHA-512'
username = 'me'
password_file = '/run/secrets/kafka'
"""
STREAM = "[[redis.streams]]\nname = 's'\ntopic = "


def blocks() -> list[str]:
    """The toml blocks of the documentation: the reference, then what excludes something of it."""
    return re.findall(r"```toml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)


def reference() -> str:
    """The first toml block of the documentation."""
    return blocks()[0]


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every key that a file may have; a table's name stands for NAME."""
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        yield here
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                separator = ".*." if "dict" in str(field.annotation) else "."
                yield from keys_of(inner, f"{here}{separator}")


def written_keys(value: Any, path: str = "") -> Iterator[str]:
    """Every key that a parsed document has, in the same notation."""
    for name, child in value.items():
        here = path + ("*" if path in {"agents.", "tenants."} else name)
        yield here
        for inner in child if isinstance(child, list) else [child]:
            if isinstance(inner, dict):
                yield from written_keys(inner, f"{here}.")


def error_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text)
    return str(caught.value).splitlines()


def test_the_documented_reference_loads_and_names_every_key() -> None:
    written: set[str] = set()
    for block in blocks():
        loads(block)
        written |= set(written_keys(tomllib.loads(block)))
    assert set(keys_of(Config)) <= written


def test_the_documented_values_are_the_defaults() -> None:
    documented, bare = loads(reference()), loads(VALID)
    assert documented.kafka == bare.kafka == Config().kafka
    assert documented.job == bare.job
    assert documented.limits == bare.limits
    assert documented.agents["order"] == bare.agents["order"]
    assert documented.topics[0].event_type == bare.topics[0].event_type == "messages"


def test_the_defaults_themselves_are_valid() -> None:
    text = Config().to_json()
    assert Config.from_json(text) == Config()


def test_a_config_survives_the_way_to_the_workers() -> None:
    config = loads(reference().replace('"30s"', '"1.0015s"', 1))
    assert Config.from_json(config.to_json()) == config
    assert config.agents["order"].policy.deadline == timedelta(milliseconds=1001.5)


def test_what_is_no_config_is_refused_by_from_json() -> None:
    with pytest.raises(ConfigError, match="not a configuration"):
        Config.from_json('{"job": {"parallelism": "many"}}')


def test_own_topics_are_named_after_the_prefix() -> None:
    names = loads('[kafka]\nprefix = "team.a"').topic_names
    assert names.journal == "team.a.journal"
    assert names.dead_letters == "team.a.dead-letters"
    assert len(set(names)) == len(names) == 12


@pytest.mark.parametrize(("profile", "ms"), [("low-latency", 1), ("balanced", 5), ("frugal", 20)])
def test_profiles_set_bundles_and_buffers(profile: str, ms: int) -> None:
    job = loads(f'[job]\nprofile = "{profile}"').job
    assert (job.bundle_ms, job.buffer_ms) == (ms, ms)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("record", KeySource("record")),
        ("subject", KeySource("subject")),
        ("extension:tenant", KeySource("extension", ("tenant",))),
        ("json:/customer/id", KeySource("json", ("customer", "id"))),
        ("json:/a~1b/~01", KeySource("json", ("a/b", "~1"))),
        ("json:/", KeySource("json", ("",))),
    ],
)
def test_keys_say_where_they_are_read(key: str, expected: KeySource) -> None:
    assert loads(f'[[topics]]\nname = "t"\nkey = "{key}"').topics[0].key_source == expected


def test_one_topic_may_feed_several_agents() -> None:
    second = '[[routes]]\ntopic = "messages"\nagent = "audit"\n[agents.audit]\nendpoint = "h:1"\n'
    config = loads(VALID + second)
    assert [config.routes_of(name) for name in ("order", "audit", "nobody")] == [
        (RouteConfig(topic="messages", agent="order"),),
        (RouteConfig(topic="messages", agent="audit"),),
        (),
    ]


def test_configs_cannot_be_changed() -> None:
    config = loads(VALID)
    with pytest.raises(ValidationError):
        config.job.parallelism = 2


# One wrong file per rule: the text, the line and key it must name, and a part of the sentence.
WRONG = [
    (SASL.replace("mechanism", "mechanisms"), 3, "kafka.sasl_mechanisms", "'sasl_mechanism'?"),
    (SASL.replace("-512", "-1"), 3, "kafka.sasl_mechanism", "'SCRAM-SHA-256'"),
    (SASL.replace("SASL_SSL", "SASL"), 2, "kafka.security_protocol", "'SASL_PLAINTEXT'"),
    (SASL.replace("username", "#"), 2, "kafka.security_protocol", "needs kafka.username"),
    (SASL.replace("password_file", "#"), 2, "kafka.security_protocol", "kafka.password_file or"),
    (SASL.replace("sasl_mech", "#"), 2, "kafka.security_protocol", "needs kafka.sasl_mechanism"),
    (SASL + "password_env = 'E'\n", 6, "kafka.password_env", "either kafka.password_file or"),
    (SASL.replace("SASL_SSL", "SSL"), 4, "kafka.username", "SSL has no SASL"),
    (SASL.replace("SASL_SSL", "SSL"), 5, "kafka.password_file", "SSL has no SASL"),
    (SASL + "cert_file = '/c'\n", 6, "kafka.cert_file", "belong together"),
    (SASL.replace("/run/", "run/"), 5, "kafka.password_file", "beginning with /"),
    (SASL.replace("/run/", "/r:n/"), 5, "kafka.password_file", "without : { }"),
    (SASL.replace("'me'", "'m$'"), 4, "kafka.username", "without"),
    ("[kafka]\nca_file = '/c'", 2, "kafka.ca_file", "PLAINTEXT has no TLS"),
    ("[kafka]\npartitons = 3", 2, "kafka.partitons", "did you mean 'partitions'?"),
    ("[kafkaa]\nx = 1", 1, "kafkaa", "did you mean 'kafka'?"),
    ("\n[kafka]\nzzz = 1", 3, "kafka.zzz", "known: 'bootstrap', 'prefix'"),
    ('[kafka]\nbootstrap = "localhost"', 2, "kafka.bootstrap", "must be host:port"),
    ('[kafka]\nbootstrap = "h:1,h:99999"', 2, "kafka.bootstrap", "must be host:port"),
    ('[kafka]\nprefix = "a b"', 2, "kafka.prefix", "must be a Kafka topic name"),
    ("[kafka]\npartitions = 0", 2, "kafka.partitions", "greater than or equal to 1"),
    ('[kafka]\npartitions = "4"', 2, "kafka.partitions", "must be a valid integer, not '4'"),
    ("[kafka]\nreplication = true", 2, "kafka.replication", "must be a valid integer"),
    ("kafka = 1", 1, "kafka", "must be a table, not 1"),
    ('[job]\nprofile = "frugl"', 2, "job.profile", "did you mean 'frugal'?"),
    ("[job]\n\ncheckpoint_interval = 5", 3, "job.checkpoint_interval", "a string with a unit"),
    (
        '[job]\ncheckpoint_interval = "1ms"',
        2,
        "job.checkpoint_interval",
        "must be 10ms to 2147483647ms",
    ),
    ('[job]\ncheckpoint_interval = "0s"', 2, "job.checkpoint_interval", "longer than nothing"),
    ('[job]\nname = "j"\ntransaction_timeout = "1s"', 3, "job.transaction_timeout", "longer than"),
    ('[job]\ntransaction_timeout = "30d"', 2, "job.transaction_timeout", "2147483647ms, not 30d"),
    ("[job]\nparallelism = 5", 2, "job.parallelism", "more than kafka.partitions (4)"),
    ('[job]\nname = "a\\nb"', 2, "job.name", "that can be printed"),
    ('[job]\nname = ""', 2, "job.name", "1 to 200 characters"),
    ("[limits]\nmax_record = 1000", 2, "limits.max_record", "a string with a unit"),
    ('[limits]\nmax_record = "0B"', 2, "limits.max_record", "more than nothing"),
    ('[limits]\nendpoint_queue = "1KB"', 2, "limits.endpoint_queue", "less than limits.max_record"),
    ("[[topics]]\n", 1, "topics[0].name", "is required and missing"),
    ('[[topics]]\nname = ".."', 2, "topics[0].name", "must be a Kafka topic name"),
    ('[topics]\nname = "x"', 1, "topics", "written [[topics]]"),
    (VALID + '[[topics]]\nname = "messages"', 9, "topics[1].name", "declared twice"),
    ('[[topics]]\nname = "headgate.inbox"', 2, "topics[0].name", "Headgate's own topic"),
    ('[[topics]]\nname = "t"\nformat = "xml"', 3, "topics[0].format", "'cloudevents', 'json'"),
    ('[[topics]]\nname = "t"\nkey = "value"', 3, "topics[0].key", "must be record, subject"),
    ('[[topics]]\nname = "t"\nkey = "json:id"', 3, "topics[0].key", "no JSON pointer"),
    ('[[topics]]\nname = "t"\nkey = "json:/~2"', 3, "topics[0].key", "no JSON pointer"),
    ('[[topics]]\nname = "t"\nkey = "extension:A"', 3, "topics[0].key", "no CloudEvents extension"),
    ('[[topics]]\nname="t"\nkey="subject"\nformat="json"', 3, "topics[0].key", "'cloudevents'"),
    ('[[topics]]\nname="t"\nkey="json:/a"\nformat="bytes"', 3, "topics[0].key", "cannot be read"),
    (VALID.replace('topic = "m', 'topic = "M'), 4, "routes[0].topic", "did you mean 'messages'?"),
    (VALID.replace('"order"', '"ordr"'), 5, "routes[0].agent", "did you mean 'order'?"),
    (VALID + '[[routes]]\ntopic = "messages"\nagent = "order"', 8, "routes[1]", "there twice"),
    (VALID.replace('"order"\n', '"order"\ntype = " x"\n', 1), 6, "routes[0].type", "padded"),
    ("[agents.Order]\nendpoint = 'h:1'", 1, "agents.Order", "must match ^[a-z0-9]"),
    ('[agents."a b"]\nendpoint = "h:1"', 1, 'agents."a b"', "must match"),
    ("agents = 1", 1, "agents", "written [agents.NAME]"),
    ("[agents.a]\n", 1, "agents.a.endpoint", "is required and missing"),
    ("[agents.a]\nendpoint = 'http://h:1'", 2, "agents.a.endpoint", "without a scheme"),
    ("[agents.a]\nendpoint = 'h'", 2, "agents.a.endpoint", "must be host:port"),
    (VALID + "[agents.order.polcy]", 8, "agents.order.polcy", "did you mean 'policy'?"),
    (VALID + "policy = {max_btch = 1}", 8, "agents.order.policy.max_btch", "'max_batch'?"),
    (VALID + "policy.max_batch = 0", 8, "agents.order.policy.max_batch", "or equal to 1"),
    (VALID + "policy.max_state = '40MB'", 8, "agents.order.policy.max_state", "do not fit"),
    (VALID + "policy.on_exhausted = 'prk'", 8, "agents.order.policy.on_exhausted", "'park'?"),
    (
        VALID + "policy.backoff.max = '1ms'",
        8,
        "agents.order.policy.backoff",
        "shorter than initial",
    ),
    (VALID + "policy.backoff.jitter = 2", 8, "agents.order.policy.backoff.jitter", "or equal to 1"),
    (VALID + "wire = 'grpc'", 8, "agents.order.wire", "'headgate' or 'a2a'"),
    (VALID + "replicas = ['localhost:7070']", 8, "agents.order.replicas", "is there twice"),
    (VALID + "replicas = ['h']", 8, "agents.order.replicas[0]", "must be host:port"),
    (VALID + "tls.cert_file = 'c'", 8, "agents.order.tls", "belong together"),
    (VALID + "token.scheme = ''", 8, "agents.order.token", "either file or env"),
    (VALID + "token = {file = 'f', env = 'E'}", 8, "agents.order.token", "either file or env"),
    (VALID + "token = {env = 'E', header = 'X'}", 8, "agents.order.token.header", "lower case"),
    (VALID + "token = {env = 'E', header = 'a-bin'}", 8, "agents.order.token.header", "metadata"),
    (
        VALID.replace("localhost", "far.away") + "token.env = 'E'",
        8,
        "agents.order.token",
        "would travel readable to 'far.away:7070'",
    ),
    (VALID + "policy.burst = 3", 8, "agents.order.policy", "name both"),
    (VALID + "policy.rate = 0.0", 8, "agents.order.policy.rate", "0.001"),
    (VALID + "policy.concurrency = 0", 8, "agents.order.policy.concurrency", "or equal to 1"),
    (
        VALID + "policy.breaker.pause_max = '1ms'",
        8,
        "agents.order.policy.breaker",
        "shorter than pause",
    ),
    (VALID + "wire = 'a2a'\npolicy.max_batch = 2", 9, "agents.order.policy.max_batch", "one event"),
    (VALID + STREAM + "'mesages'", 10, "redis.streams[0].topic", "did you mean 'messages'"),
    (VALID + 2 * (STREAM + "'messages'\n"), 12, "redis.streams[1].name", "declared twice"),
    (
        VALID + STREAM + "'messages'\nkey_field = 'value'",
        8,
        "redis.streams[0].value_field",
        "cannot be the key and the value",
    ),
    (VALID + STREAM + "''", 10, "redis.streams[0].topic", "must not be empty"),
    (VALID + "[redis.streams]\nname = 's'", 8, "redis.streams", "written [[redis.streams]]"),
    (VALID + "[redis]\nurl = 'localhost'", 9, "redis.url", "must be redis://"),
    (VALID + "[redis]\ncluster = 1", 9, "redis.cluster", "must be true or false"),
    (VALID + "[redis]\nprefix = '{a}'", 9, "redis.prefix", "letters, digits"),
    (VALID + "tenant = ' a'", 8, "agents.order.tenant", "1 to 200 characters"),
    (VALID + "tenant = 'a'\ntenant_before = ':'", 6, "agents.order", "either tenant"),
    (VALID + "estimate = -1", 8, "agents.order.estimate", "must be 0 to"),
    (VALID + "estimate = true", 8, "agents.order.estimate", "amount of money"),
    (VALID + "[cost]\ncurrency = '$'", 9, "cost.currency", "^[A-Z]{3}$"),
    (VALID + PRICE + "call = 1", 8, "cost.prices[0]", "either model or agent"),
    (VALID + PRICE + "agent = 'a'\ninput = 1", 8, "cost.prices[0]", "tokens are a model's"),
    (VALID + PRICE + "model = 'm'\nsince = 'may'", 10, "cost.prices[0].since", "a date or a time"),
    (VALID + PRICE + "model = 'm'\ncall = 1e-10", 10, "cost.prices[0].call", "nine places"),
    (VALID + BUDGET + "limit = 1", 8, "budgets[0].window", "missing"),
    (VALID + BUDGET + "window = 'wek'\nlimit = 1", 10, "budgets[0].window", "'day', 'month'"),
    (VALID + BUDGET + DAILY + "when_spent = 'degrade'", 8, "budgets[0]", "belong together"),
    (
        VALID + BUDGET + DAILY + "when_spent = 'degrade'\nstand_in = 'ordr'",
        13,
        "budgets[0].stand_in",
        "did you mean 'order'",
    ),
    (VALID + 2 * (BUDGET + DAILY), 13, "budgets[1].name", "declared twice"),
    (VALID + "[tenants.a]\nweight = 0", 9, "tenants.a.weight", "or equal to 1"),
    (
        VALID + "policy.backoff.multiplier = nan",
        8,
        "agents.order.policy.backoff.multiplier",
        "must",
    ),
    (VALID + "[encryption]", 8, "encryption.keys", "is required and missing"),
    (VALID + "[encryption]\nkeys = 'file:keys'", 9, "encryption.keys", "file:/ABSOLUTE/PATH"),
    (VALID + "[encryption]\nkeys = 'provider:a'", 9, "encryption.keys", "MODULE:FUNCTION"),
    (VALID + "[encryption]\nkey = 'k'", 9, "encryption.key", "unknown key"),
    (VALID + "[door]\ntokens = 't'", 9, "door.tokens", "did you mean 'tokens_file'"),
]


@pytest.mark.parametrize("text", ["keys = 'env:c2VjcmV0LWtleQ=='", "keys = 'k1:c2VjcmV0LWtleQ=='"])
def test_a_key_written_where_its_name_belongs_is_not_repeated(text: str) -> None:
    (problem,) = error_of(VALID + "[encryption]\n" + text)
    assert "must be" in problem
    assert "c2VjcmV0" not in problem


def test_a_token_written_where_its_name_belongs_is_not_repeated() -> None:
    (problem,) = error_of(VALID + "token.env = 'sk-the-token-itself'")
    assert "must be the name of an environment variable" in problem
    assert "sk-the" not in problem


@pytest.mark.parametrize("key", ["password", "sasl_plain_password", "sasl_jaas_config"])
def test_a_password_written_into_the_file_is_refused_and_not_repeated(key: str) -> None:
    problems = error_of(SASL + f"{key} = 's3cret-itself'")
    (problem,) = [it for it in problems if it.startswith(f"headgate.toml:6: kafka.{key}: ")]
    assert "kafka.password_file" in problem
    assert "kafka.password_env" in problem
    assert "s3cret" not in "".join(problems)


def test_a_password_written_where_its_name_belongs_is_not_repeated() -> None:
    for key in ("password_file", "password_env"):
        text = SASL.replace("password_file = '/run/secrets/kafka'", f"{key} = 's3cret-itself'")
        (problem,) = error_of(text)
        assert problem.startswith(f"headgate.toml:5: kafka.{key}: ")
        assert "s3cret" not in problem


def test_the_way_to_kafka_is_one_object_without_secrets() -> None:
    kafka = loads(SASL).kafka
    assert str(kafka.bootstrap) == kafka.bootstrap.servers == "127.0.0.1:9092"
    security = kafka.bootstrap.security
    assert (security.has_tls, security.has_sasl) == (True, True)
    assert (security.username, security.password_file) == ("me", "/run/secrets/kafka")
    assert Config.from_json(loads(SASL).to_json()).kafka.bootstrap == kafka.bootstrap


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/a", "dns:///localhost:1"]
)
def test_a_token_needs_no_tls_on_this_machine(endpoint: str) -> None:
    assert loads(f"[agents.a]\nendpoint = '{endpoint}'\ntoken.env = 'E'").agents["a"].token


@pytest.mark.parametrize(("text", "line", "key", "part"), WRONG)
def test_an_error_names_file_line_key_and_remedy(text: str, line: int, key: str, part: str) -> None:
    problems = error_of(text)
    place = f"headgate.toml:{line}: {key}: "
    assert [it for it in problems if it.startswith(place) and part in it], problems


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    problems = error_of("[job]\nparallelism = 0\n[kafka]\nprefix = ''\npartitions = 0\n")
    assert [it.split(": ")[0] for it in problems] == [
        "headgate.toml:2",
        "headgate.toml:4",
        "headgate.toml:5",
    ]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a = 1\nb 2\n", "headgate.toml:2: not valid TOML"),
        ("a = 1\na = 2\n", "headgate.toml:2: not valid TOML"),
        ('a = 1\nb = """x\n\n', "headgate.toml:4: not valid TOML"),
        ("[a\n", "headgate.toml:1: not valid TOML"),
    ],
)
def test_a_syntax_error_names_its_line(text: str, start: str) -> None:
    (problem,) = error_of(text)
    assert problem.startswith(start), problem


def test_the_error_names_the_file_that_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[kafka]\npartitions = 0\n", encoding="utf-8")
    with pytest.raises(HeadgateError, match=re.escape(f"{path}:2: kafka.partitions: ")):
        load(path)
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}:2: must be UTF-8")):
        load(path)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(path)


def test_the_configuration_needs_neither_flink_nor_kafka() -> None:
    program = (
        "import sys, headgate.config\n"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "{'pyflink', 'kafka', 'confluent_kafka', 'grpc', 'apache_beam'}])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
