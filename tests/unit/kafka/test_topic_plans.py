"""Which topics Headgate makes, and what it says of those that are not as they must be."""

import pytest

from headgate.config import Config, loads
from headgate.kafka.topics import TopicPlan, differences, message_bytes, plan_topics


def plans(text: str = "") -> dict[str, TopicPlan]:
    """The plans of a headgate.toml by the topic's name."""
    return {plan.name: plan for plan in plan_topics(loads(text))}


@pytest.mark.parametrize("name", ["headgate.journal", "headgate.inbox"])
def test_journal_and_inbox_are_logs_that_the_broker_stamps(name: str) -> None:
    plan = plans()[name]
    assert plan.needed == {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
    }
    assert plan.initial["retention.ms"] == str(7 * 24 * 3600 * 1000)
    assert plan.initial["retention.bytes"] == "-1"


def test_the_registry_is_compacted_and_has_one_partition() -> None:
    plan = plans("[kafka]\npartitions = 9\n")["headgate.registry"]
    assert (plan.partitions, plan.needed) == (1, {"cleanup.policy": "compact"})


@pytest.mark.parametrize(("replication", "least"), [(1, "1"), (2, "1"), (3, "2")])
def test_writing_goes_on_while_one_broker_is_away(replication: int, least: str) -> None:
    plan = plans(f"[kafka]\nreplication = {replication}\n")["headgate.journal"]
    assert plan.initial["min.insync.replicas"] == least


def test_users_topics_are_made_but_never_judged() -> None:
    plan = plans('[[topics]]\nname = "messages"\n')["messages"]
    assert (plan.is_own, plan.needed) == (False, {})


def test_a_topic_takes_the_largest_record_and_batches_of_small_ones() -> None:
    assert message_bytes(loads('[limits]\nmax_record = "3MB"\n')) == 3_000_000 + 65_536
    assert message_bytes(loads('[limits]\nmax_record = "10KB"\n')) == 1_048_588


def journal() -> TopicPlan:
    """The plan of the journal, with 4 partitions."""
    return plan_topics(Config())[0]


def test_a_topic_as_planned_has_no_differences() -> None:
    assert list(differences(journal(), 4, journal().needed)) == []


def test_another_partition_count_names_both_ways_out() -> None:
    (text,) = differences(journal(), 7, journal().needed)
    assert "has 7 partitions, but kafka.partitions is 4" in text
    assert "set kafka.partitions = 7, or choose another kafka.prefix" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "CreateTime"),
        ("unclean.leader.election.enable", "true"),
    ],
)
def test_a_setting_that_breaks_the_protocol_is_named_with_its_cure(name: str, value: str) -> None:
    (text,) = differences(journal(), 4, {**journal().needed, name: value})
    assert f"has {name}={value}" in text
    assert f"--add-config {name}={journal().needed[name]}" in text
