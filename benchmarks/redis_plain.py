"""Entries as the feeder's, added by one client in pipelines, without position, state or order."""

import sys

import redis


def main() -> None:
    """Add so many entries to a server."""
    url, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = redis.Redis.from_url(url)
    for begin in range(0, count, size):
        pipeline = client.pipeline(transaction=False)
        for number in range(begin, min(begin + size, count)):
            fields: dict[bytes | str, bytes | str | int] = {
                "address": f"order/customer-{number % 10_000}",
                "turn": number // 10_000,
                "at_us": 1_700_000_000_000_000 + number,
                "revision": "",
                "0:set:status": b'"step 1"',
            }
            pipeline.xadd(f"changes-{number % 4}", dict(fields.items()))
        pipeline.execute()


if __name__ == "__main__":
    main()
