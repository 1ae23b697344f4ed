"""What a start of the job writes into the registry, beside what people have set there meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headgate.config import Config, loads
from headgate.kafka import registry
from headgate.kafka.registry import publish_agents
from headgate.kafka.specs import specs_of
from headgate.v1.turn_pb2 import AgentSpec

CONFIG = loads('[agents.order]\nendpoint = "a:1"\n[agents.audit]\nendpoint = "a:1"\n')


def published(
    monkeypatch: pytest.MonkeyPatch, config: Config, present: Mapping[str, AgentSpec]
) -> Mapping[str, AgentSpec | None]:
    """Return what is written where a registry holds these."""
    written: dict[str, AgentSpec | None] = {}
    monkeypatch.setattr(registry, "read_registry", lambda *_: dict(present))
    monkeypatch.setattr(registry, "write_specs", lambda _, __, specs: written.update(specs))
    told = publish_agents(config)
    assert {name for name, is_written in told.items() if is_written} == set(written)
    return written


def test_what_stands_there_already_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    present = specs_of(CONFIG)
    present["order"].updated_ms = 7
    del present["audit"]
    written = published(monkeypatch, CONFIG, present)
    assert set(written) == {"audit"}
    assert written["audit"] is not None
    assert written["audit"].updated_ms > 0


def test_what_people_have_set_at_run_time_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    known = specs_of(CONFIG)["order"]
    known.paused = known.draining = True
    known.revision = "v1"
    known.canary.revision, known.canary.share = "v2", 1_000
    known.policy.max_batch = 3  # the file has another one by now
    made = published(monkeypatch, CONFIG, {"order": known})["order"]
    assert made is not None
    assert (made.paused, made.draining, made.revision) == (True, True, "v1")
    assert made.canary == known.canary
    assert made.policy == specs_of(CONFIG)["order"].policy
    assert list(made.endpoints) == ["a:1"]


def test_a_promoted_revision_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    known = specs_of(CONFIG)["order"]
    known.promoted, known.revision, known.endpoints[:] = True, "v2", ["b:2"]
    known.policy.max_batch = 3
    made = published(monkeypatch, CONFIG, {"order": known})["order"]
    assert made is not None
    assert (made.promoted, list(made.endpoints)) == (True, ["b:2"])


def test_agents_that_the_file_does_not_name_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    present = {**specs_of(CONFIG), "attached": AgentSpec(type="attached")}
    assert published(monkeypatch, CONFIG, present) == {}
