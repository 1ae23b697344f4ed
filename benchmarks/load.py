"""The load generator, a process of its own: `python -m benchmarks.load --help`.

Open loop: event n is due at start + n / rate whatever the system does; a generator that falls
behind says by how much. Rate 0 sends everything at once. Every record carries the time of its
sending as its timestamp, and goes to the partition that Kafka's default partitioner would choose.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks.texts import text
from headgate.bootstrap import Bootstrap
from headgate.core.identity import partition_of

STARTED = "started"
# Up to this rate each event leaves at once. Above, a producer that writes every event by itself
# would cost the broker more than the events do; 2 ms is what a busy producer gathers anyway.
UNBATCHED_RATE = 500
LINGER_MS = 2.0
TICK_SECONDS = 0.001
FLUSH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Offer:
    """Events to send: `count` in all at `rate` per second over `keys` keys.

    Keys are `prefix` and a number; `body` has a %d for the event's number. With `characters`, an
    event has a text of so many instead.
    """

    bootstrap: Bootstrap
    topic: str
    partitions: int
    count: int
    rate: float
    keys: int
    prefix: str = "k"
    body: str = '{"n":%d}'
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the generator did: times in epoch milliseconds, its own CPU seconds, its lateness."""

    count: int
    first_ms: float
    last_ms: float
    cpu_seconds: float
    late_ms_p99: float
    late_ms_max: float


class Load:
    """A running load generator."""

    def __init__(self, offer: Offer) -> None:
        """Start it and wait for its first event."""
        command = [sys.executable, "-m", "benchmarks.load"]
        for name in Offer.__slots__:
            command += [f"--{name}", str(getattr(offer, name))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if line.strip() != STARTED:
            self.stop()
            message = "the load generator did not start"
            raise RuntimeError(message)

    def result(self) -> Sent:
        """Wait for its end."""
        out, _ = self._process.communicate()
        if self._process.returncode != 0:
            message = f"the load generator ended with code {self._process.returncode}"
            raise RuntimeError(message)
        return Sent(**json.loads(out))

    def stop(self) -> None:
        """End it early."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()


def keys_in_turn(count: int, prefix: str) -> list[str]:
    """Return the keys in the order of their events: event n has the key n modulo count."""
    keys = [f"{prefix}{number}" for number in range(count)]
    random.Random(7).shuffle(keys)
    return keys


def send(offer: Offer) -> Sent:
    """Send it all."""
    from confluent_kafka import KafkaException, Producer

    from headgate.kafka.credentials import librdkafka_settings

    linger_ms = LINGER_MS if offer.rate == 0 or offer.rate > UNBATCHED_RATE else 0.0
    producer = Producer(
        {
            **librdkafka_settings(offer.bootstrap),
            "enable.idempotence": True,
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "log_level": 3,
        }
    )
    body = offer.body.encode()
    keys = [key.encode() for key in keys_in_turn(offer.keys, offer.prefix)]
    places = [partition_of(key, offer.partitions) for key in keys]
    producer.list_topics(offer.topic)  # connect before the clock runs
    print(STARTED, flush=True)
    late: list[float] = []
    first = time.time()
    number = 0
    while number < offer.count:
        now = time.time()
        due = offer.count if offer.rate == 0 else int((now - first) * offer.rate) + 1
        for n in range(number, min(due, offer.count)):
            at = time.time()
            if offer.rate:
                late.append((at - first - n / offer.rate) * 1000)
            which = n % offer.keys
            while True:
                try:
                    producer.produce(
                        offer.topic,
                        _text(n, offer) if offer.characters else body % n,
                        keys[which],
                        partition=places[which],
                        timestamp=int(at * 1000),
                    )
                except BufferError:
                    producer.poll(0.01)
                    continue
                break
        number = max(number, min(due, offer.count))
        producer.poll(0)
        if number < offer.count:
            time.sleep(TICK_SECONDS)
    last = time.time()
    if producer.flush(FLUSH_SECONDS):
        message = "Kafka did not take all events"
        raise KafkaException(message)
    late.sort()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Sent(
        count=offer.count,
        first_ms=first * 1000,
        last_ms=last * 1000,
        cpu_seconds=used.ru_utime + used.ru_stime,
        late_ms_p99=late[int(len(late) * 0.99)] if late else 0.0,
        late_ms_max=late[-1] if late else 0.0,
    )


def _text(number: int, offer: Offer) -> bytes:
    return b'{"text":"%b"}' % text(number, offer.characters).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True, type=Bootstrap)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="events/s; 0: all at once")
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--prefix", default="k", help="of each key")
    parser.add_argument("--body", default='{"n":%d}', help="of each event; %%d is its number")
    parser.add_argument("--characters", type=int, default=0, help="of each event's text")
    sent = send(Offer(**vars(parser.parse_args())))
    print(json.dumps({name: getattr(sent, name) for name in Sent.__slots__}))


if __name__ == "__main__":
    main()
