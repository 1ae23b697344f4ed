"""Outputs as CloudEvents 1.0 in structured JSON: the value of an outbox record."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring as quoted

from headgate.v1.agent_pb2 import Output
from headgate.v1.turn_pb2 import Outcome

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC; without a zone its text has no offset
_JSON = frozenset({"", "application/json", "text/json"})
_ALWAYS = frozenset(
    ("specversion", "id", "source", "type", "subject", "time", "recordedtime", "sequence")
)


def rfc3339(at_us: int) -> str:
    """Return microseconds since the epoch as CloudEvents' timestamp.

    >>> rfc3339(1_700_000_000_000_001)
    '2023-11-14T22:13:20.000001Z'
    """
    seconds, microseconds = divmod(at_us, 1_000_000)
    return f"{_to_the_second(seconds)}.{microseconds:06d}Z"


@lru_cache(64)
def _to_the_second(seconds: int) -> str:
    """Return the date and the time of day: the same for all the turns of a second."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def outputs(address: str, turn: int, at_us: int, outcome: Outcome) -> list[bytes]:
    """Render an outcome's outputs; ids are address/turn/index, the same at every replay."""
    given = outcome.outputs[:]
    if not given:
        return []
    at = rfc3339(at_us)
    return [
        _rendered(output, outcome, index, address=address, turn=turn, time=at)
        for index, output in enumerate(given)
    ]


def _rendered(
    output: Output, outcome: Outcome, index: int, *, address: str, turn: int, time: str
) -> bytes:
    # Written as text, for only a few strings vary: a dict and its encoder took twice as long.
    head = (
        f'{{"specversion":"1.0","id":{quoted(f"{address}/{turn}/{index}")}'
        f',"source":{quoted(f"headgate:{address}")},"type":{quoted(output.type)}'
        f',"subject":{quoted(output.subject or outcome.key)}'
        f',"time":"{time}","recordedtime":"{time}","sequence":"{turn:020d}.{index:06d}"'
    )
    taken, traceparent, tracestate = outcome.taken, outcome.traceparent, outcome.tracestate
    has_cause = output.cause < len(taken)
    if has_cause:
        cause = taken[output.cause]
        head += f',"correlationid":{quoted(cause.correlation_id)},"causationid":{quoted(cause.id)}'
    if traceparent:
        head += f',"traceparent":{quoted(traceparent)}'
    if tracestate:
        head += f',"tracestate":{quoted(tracestate)}'
    media = output.datacontenttype or "application/json"
    if output.extensions:
        said = {*_ALWAYS, "datacontenttype"}
        said.update(("correlationid", "causationid") if has_cause else ())
        said.update(("traceparent",) if traceparent else ())
        said.update(("tracestate",) if tracestate else ())
        for name, value in output.extensions.items():
            if name not in said:
                head += f",{quoted(name)}:{quoted(value)}"
    head += f',"datacontenttype":{quoted(media)}'
    data = output.data
    if not data:
        return f"{head}}}".encode()
    if is_json(media):
        # The agent's JSON is passed on as it is: Invoke has checked that it is JSON.
        return b'%b,"data":%b}' % (head.encode(), data)
    return f'{head},"data_base64":"{b64encode(data).decode()}"}}'.encode()


def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON, as CloudEvents defines it."""
    if media_type in _JSON:
        return True
    media = media_type.partition(";")[0].strip().lower()
    return media in _JSON or media.endswith("+json")
