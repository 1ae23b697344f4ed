"""Schedules in the registry: what was asked for, to be listed. Who fires them is their agent."""

from __future__ import annotations

import time
from typing import Any

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.kafka.registry import read_own, write_own
from headgate.v1.turn_pb2 import ScheduleRecord

PREFIX = "@schedule/"
SCHEMA_VERSION = 1


def read_schedules(bootstrap: Bootstrap, topic: str) -> dict[str, ScheduleRecord]:
    """Return the schedules by name; records that cannot be read are left out."""
    found: dict[str, ScheduleRecord] = {}
    for key, value in read_own(bootstrap, topic).items():
        if key.startswith(PREFIX):
            try:
                record = ScheduleRecord.FromString(value)
            except DecodeError:
                continue
            found[record.name] = record
    return found


def write_schedule(
    bootstrap: Bootstrap, topic: str, name: str, record: ScheduleRecord | None
) -> None:
    """Write a schedule, None to take it out."""
    value = None
    if record is not None:
        record.name, record.schema_version = name, SCHEMA_VERSION
        record.updated_ms = time.time_ns() // 1_000_000
        value = record.SerializeToString()
    write_own(bootstrap, topic, f"{PREFIX}{name}", value)


def schedule_view(record: ScheduleRecord) -> dict[str, Any]:
    """Return what was asked for."""
    from datetime import timedelta

    from headgate.config.durations import format_duration
    from headgate.kafka.outcomes import data_of

    when = record.cron or f"every {format_duration(timedelta(milliseconds=record.every_ms))}"
    shown: dict[str, Any] = {
        "name": record.name,
        "when": when,
        "zone": record.zone or "UTC",
        "address": record.address,
        "type": record.type,
        "catch_up": record.catch_up,
    }
    return shown | (data_of("data", record.data) if record.data else {})
