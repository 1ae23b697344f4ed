"""The operator of the micro job: one phase after another, each timed.

A module of its own: what a job script defines itself is pickled by value, and side outputs' tags
hold Java objects, which cannot be.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.datastream import OutputTag, RuntimeContext
from pyflink.datastream.functions import KeyedCoProcessFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from headgate.flink.rows import BYTES

ELEMENTS = 20_000
LOOPS = 5_000
PAYLOAD = b"x" * 300
SIDE = OutputTag("side", Types.ROW([BYTES, BYTES]))
FLAT = OutputTag("flat", BYTES)

Phase = Callable[[Any, str], list[Any]]


class Micro(KeyedCoProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Counts elements; the count says which phase it is."""

    def __init__(self, file: str) -> None:
        self._file = file

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open both states as Gate does."""
        items = MapStateDescriptor("items", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        value = ValueStateDescriptor("control", Types.PICKLED_BYTE_ARRAY())
        self._items: Any = runtime_context.get_map_state(items)._state
        self._value: Any = runtime_context.get_state(value)._state
        self._seen = 0
        self._began = (0.0, 0.0)
        self._found: dict[str, dict[str, float]] = {}
        row = Row(b"key", PAYLOAD)
        self._phases: list[tuple[str, Phase]] = [
            ("warm-up", self._everything),
            ("warm-up again", self._everything),
            ("enter, no output", lambda ctx, key: []),
            ("... + 1 output", lambda ctx, key: [PAYLOAD]),
            ("... + 1 side output, row of 2", lambda ctx, key: [(SIDE, row)]),
            ("... + 3 side outputs, rows of 2", lambda ctx, key: [(SIDE, row)] * 3),
            ("... + 1 side output, bytes", lambda ctx, key: [(FLAT, PAYLOAD)]),
            ("... + value get", self._get),
            ("... + value put", self._put),
            ("... + value get and put", self._everything),
            ("... + map put, get, remove", self._map),
            ("... + timer set", self._timer),
            ("... + current key", lambda ctx, key: _nothing(ctx.get_current_key())),
            ("... + timestamp", lambda ctx, key: _nothing(ctx.timestamp())),
        ]

    def process_element2(self, value: Any, ctx: Any) -> list[Any]:
        """Run the phase's work on one element."""
        key, number, _ = value
        phase, within = divmod(self._seen, ELEMENTS)
        if within == 0:
            self._note(phase)
        self._seen += 1
        if phase < len(self._phases):
            return self._phases[phase][1](ctx, key)
        if phase == len(self._phases) and within == 1:
            self._loops(ctx, number)
        return []

    def process_element1(self, value: Any, ctx: Any) -> list[Any]:
        """Two inputs because Gate has two; this one has a single record."""
        return []

    def on_timer(self, timestamp: int, ctx: Any) -> list[Any]:
        """Timers are set far ahead."""
        return []

    def _note(self, phase: int) -> None:
        now = (time.thread_time(), time.perf_counter())
        if phase:
            self._keep(self._phases[phase - 1][0], self._began, ELEMENTS)
        self._began = now

    def _keep(self, name: str, began: tuple[float, float], count: int) -> None:
        self._found[name] = {
            "cpu_us": (time.thread_time() - began[0]) * 1e6 / count,
            "wall_us": (time.perf_counter() - began[1]) * 1e6 / count,
        }

    # ------------------------------------------------------------------- phases, per element

    def _get(self, ctx: Any, key: str) -> list[Any]:
        found = self._value.value()
        return _nothing(None if found is None else bytes(found))

    def _put(self, ctx: Any, key: str) -> list[Any]:
        self._value.update(PAYLOAD)
        return []

    def _everything(self, ctx: Any, key: str) -> list[Any]:
        self._get(ctx, key)
        return self._put(ctx, key)

    def _map(self, ctx: Any, key: str) -> list[Any]:
        self._items.put("m1", PAYLOAD)
        self._items.get("m1")
        self._items.remove("m1")
        return []

    def _timer(self, ctx: Any, key: str) -> list[Any]:
        due = time.time_ns() // 1_000_000 + 3_600_000
        ctx.timer_service().register_processing_time_timer(due)
        return []

    # -------------------------------------------------------------- loops within one element

    def _loops(self, ctx: Any, number: int) -> None:
        items, value = self._items, self._value
        timers = ctx.timer_service()
        java_timers: Any = timers._j_timer_service
        far = time.time_ns() // 1_000_000 + 3_600_000
        names = [f"m{n}" for n in range(LOOPS)]
        large = b"x" * 3_000
        value.update(PAYLOAD)
        java_bytes = value.value()
        loops: list[tuple[str, Callable[[int, str], Any]]] = [
            ("loop: nothing", lambda n, name: None),
            ("loop: value get, 300 bytes", lambda n, name: value.value()),
            ("loop: bytes() of what get returned", lambda n, name: bytes(java_bytes)),
            ("loop: value put, 300 bytes", lambda n, name: value.update(PAYLOAD)),
            ("loop: value put, 3,000 bytes", lambda n, name: value.update(large)),
            ("loop: value get, 3,000 bytes", lambda n, name: value.value()),
            ("loop: map get, absent", lambda n, name: items.get(name)),
            ("loop: map put, new", lambda n, name: items.put(name, PAYLOAD)),
            ("loop: map get, there", lambda n, name: items.get(name)),
            ("loop: map contains", lambda n, name: items.contains(name)),
            ("loop: map put, there", lambda n, name: items.put(name, PAYLOAD)),
            ("loop: map remove", lambda n, name: items.remove(name)),
            (
                "loop: timer set (PyFlink)",
                lambda n, name: timers.register_processing_time_timer(far + n),
            ),
            (
                "loop: timer delete (PyFlink)",
                lambda n, name: timers.delete_processing_time_timer(far + n),
            ),
            (
                "loop: timer set (Java object)",
                lambda n, name: java_timers.registerProcessingTimeTimer(far + n),
            ),
            ("loop: timer_service()", lambda n, name: ctx.timer_service()),
            ("loop: get_current_key()", lambda n, name: ctx.get_current_key()),
            ("loop: current_processing_time()", lambda n, name: timers.current_processing_time()),
        ]
        for label, act in loops:
            began = (time.thread_time(), time.perf_counter())
            for n, name in enumerate(names):
                act(n, name)
            self._keep(label, began, LOOPS)
        Path(self._file).write_text(json.dumps(self._found), encoding="utf-8")


def _nothing(_: Any) -> list[Any]:
    return []
