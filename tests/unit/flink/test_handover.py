"""Records into the dispatcher's loop: all, in order, once woken for a burst, failures told."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("pyflink", reason="needs headgate[flink]")

from headgate.flink.handover import Handover


def test_records_of_another_thread_arrive_whole_and_in_order() -> None:
    taken: list[bytes] = []
    done = asyncio.Event()
    records = [str(n).encode() for n in range(5_000)]

    def take(record: bytes) -> None:
        taken.append(record)
        if len(taken) == len(records):
            done.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        handover = Handover(take)

        def put_all() -> None:
            for record in records:
                handover.put(loop, record)

        thread = threading.Thread(target=put_all)
        thread.start()
        await asyncio.wait_for(done.wait(), 30)
        thread.join()

    asyncio.run(main())
    assert taken == records


def test_the_loop_is_woken_once_for_a_burst() -> None:
    class Loop:
        """Counts wake-ups: a real loop would not tell."""

        calls = 0

        def call_soon_threadsafe(self, _: object) -> None:
            self.calls += 1

    loop = Loop()
    handover = Handover(lambda _: None)
    for _ in range(100):
        handover.put(loop, b"")  # type: ignore[arg-type]
    assert loop.calls == 1


def test_what_a_record_ended_in_is_raised_at_the_next() -> None:
    def refuse(_: bytes) -> None:
        msg = "the journal is lost"
        raise RuntimeError(msg)

    async def main() -> None:
        handover = Handover(refuse)
        loop = asyncio.get_running_loop()
        handover.put(loop, b"1")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="journal is lost"):
            handover.put(loop, b"2")

    asyncio.run(main())
