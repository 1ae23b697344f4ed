"""The Redis that headgate.toml names: where state and outputs go, and how long they stay there."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from headgate.config.fields import Count, Duration, Section

DEFAULT_URL = "redis://127.0.0.1:6379/0"

_HOST = r"([^\s/@:\[\]?]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_URL = re.compile(rf"(rediss?://([^\s/@]*@)?{_HOST}(/[0-9]*)?|unix:///\S+)(\?\S*)?")
# A hash tag is what stands between braces; a key that had more of them would lie elsewhere.
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def _check_url(text: str) -> str:
    if _URL.fullmatch(text):
        return text
    # It may hold a password: it is not repeated.
    message = "must be redis://HOST:PORT/NUMBER, rediss:// or unix:///PATH"
    raise ValueError(message)


def _check_prefix(text: str) -> str:
    if _PREFIX.fullmatch(text):
        return text
    message = f"must be 1 to 100 letters, digits, . _ : -, not {text!r}"
    raise ValueError(message)


class RedisStreamConfig(Section):
    """A stream whose entries are events of one of the [[topics]].

    name: the stream's key in Redis. topic: by its rule they are read, by its routes they go to
        agents. group: the consumer group. key_field, value_field: fields of an entry that stand for
        a record's key and value; without value_field the fields are one JSON object. All others
        are headers.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    topic: Annotated[str, Field(min_length=1)]
    group: Annotated[str, Field(min_length=1)] = "headgate"
    key_field: Annotated[str, Field(min_length=1)] = "key"
    value_field: Annotated[str, Field(min_length=1)] = "value"


class RedisConfig(Section):
    """Redis, and what stays in it.

    cluster: whether the URL is that of a node of a Redis Cluster. keep, keep_entries: entries of
        the streams are there at least so long, unless there are more of them in one stream. past:
        how far back a view answers `snapshot(as_of)`.
    """

    url: Annotated[str, AfterValidator(_check_url)] = DEFAULT_URL
    prefix: Annotated[str, AfterValidator(_check_prefix)] = "headgate"
    cluster: Annotated[bool, Field(strict=True)] = False
    keep: Duration = timedelta(hours=1)
    keep_entries: Count = 1_000_000
    past: Duration = timedelta(minutes=1)
    streams: tuple[RedisStreamConfig, ...] = ()
