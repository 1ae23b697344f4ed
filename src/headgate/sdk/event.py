"""Event: a typed view of one input."""

from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.sdk.codec import from_json
from headgate.sdk.errors import EventDataError
from headgate.v1 import agent_pb2 as pb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNREAD = object()


def is_json(media_type: str) -> bool:
    """Whether data of this media type is JSON (empty means it is).

    >>> is_json("application/problem+json; charset=utf-8")
    True
    """
    if media_type in ("", "application/json"):
        return True
    bare = media_type.partition(";")[0].strip().lower()
    return bare in ("application/json", "text/json") or bare.endswith("+json")


class Event:
    """One input of a turn, in CloudEvents terms.

    >>> Event(pb.Event(id="7", type="shop.paid", data=b'{"amount": 3}')).data["amount"]
    3
    """

    __slots__ = ("_data", "_given")

    def __init__(self, given: pb.Event) -> None:
        self._given = given
        self._data: Any = _UNREAD

    @property
    def id(self) -> str:
        return self._given.id

    @property
    def source(self) -> str:
        return self._given.source

    @property
    def type(self) -> str:
        return self._given.type

    @property
    def subject(self) -> str:
        return self._given.subject

    @property
    def time(self) -> datetime | None:
        """When it happened, by its producer's clock; None if the event does not say."""
        micros = self._given.time_us
        return _EPOCH + timedelta(microseconds=micros) if micros else None

    @property
    def datacontenttype(self) -> str:
        return self._given.datacontenttype or "application/json"

    @property
    def data(self) -> Any:
        """The payload: decoded if it is JSON (at first use), else bytes.

        Raises EventDataError if it claims to be JSON and is not.
        """
        if self._data is _UNREAD:
            given = self._given
            if is_json(given.datacontenttype):
                try:
                    self._data = from_json(given.data) if given.data else None
                except (ValueError, RecursionError) as error:
                    message = f"data of event {given.id!r} is not JSON: {error}"
                    raise EventDataError(message) from None
            else:
                self._data = given.data
        return self._data

    @property
    def raw(self) -> bytes:
        """The payload as it came."""
        return self._given.data

    @property
    def extensions(self) -> dict[str, str]:
        return dict(self._given.extensions)

    @property
    def correlation_id(self) -> str:
        return self._given.correlation_id

    @property
    def traceparent(self) -> str:
        return self._given.traceparent

    def __repr__(self) -> str:
        return f"Event(id={self.id!r}, source={self.source!r}, type={self.type!r})"
