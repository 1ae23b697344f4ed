"""Dead letters for commands: those that are meant, shown, and what was done to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headgate.cli.broker import Broker
from headgate.cli.letter_filter import FilterError, LetterFilter
from headgate.cli.look import Output, answers, as_json, plain, problems, table
from headgate.cli.registered import doubt, read
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.kafka.letters import Filed

# More in a table would push the rest off the screen; the JSON has it whole.
MESSAGE_CHARS = 60


class NoLetterError(HeadgateError):
    """There is no dead letter of that id.

    Operator action: look for it with `headgate dead-letters list --all`.
    """


def find(broker: Broker, wanted: LetterFilter, *, is_all: bool) -> Iterator[Filed]:
    """Yield the letters that are meant, oldest first; settled ones only if `is_all`."""
    from headgate.kafka.letters import read_letters

    return (
        each
        for each in read_letters(broker.bootstrap, broker.config.topic_names)
        if wanted.lets_through(each.letter) and (is_all or each.settled is None)
    )


def tell_doubt(broker: Broker, wanted: LetterFilter) -> None:
    """Say beside the answer, where no letter is as wanted, that the agent type may be mistyped."""
    name = wanted.agent or (wanted.address or "").partition("/")[0]
    doubtful = doubt(read(broker), name) if name else ""
    if doubtful:
        problems.print(doubtful, markup=False, highlight=False)


def open_ones(broker: Broker, wanted: LetterFilter, *, everything: bool) -> list[Filed]:
    """Return the open letters that are meant; a command without any filter means none."""
    if wanted.is_empty and not everything:
        message = "which ones? Give ids, or filters, or --everything; --dry-run shows them first"
        raise FilterError(message)
    found = list(find(broker, wanted, is_all=False))
    missing = wanted.ids - {each.letter.id for each in found}
    if missing:
        message = f"no open dead letter {min(missing)!r}; see `headgate dead-letters list --all`"
        raise NoLetterError(message)
    if not found:
        tell_doubt(broker, wanted)
    return found


def replay_letters(
    broker: Broker, letters: list[Filed], *, why: str, dry_run: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Hand records of letters to the job again; return the ids of those, and of the others why
    not.
    """
    from headgate.kafka.letters import Settling
    from headgate.kafka.originals import Originals
    from headgate.kafka.span import Spans

    names = broker.config.topic_names
    with Spans(broker.bootstrap, is_read_committed=False) as spans:
        originals = Originals(spans, names)
        found = {each.letter.id: originals.find(each.letter) for each in letters}
    refused = {name: why_not for name, why_not in found.items() if isinstance(why_not, str)}
    records = [record for record in found.values() if not isinstance(record, str)]
    done = [record.letter_id for record in records]
    if records and not dry_run:
        with Settling(broker.bootstrap, names) as settling:
            done = settling.replay(records, reason=why)
    return done, refused


def discard_letters(broker: Broker, letters: list[Filed], *, why: str) -> list[str]:
    """Give letters up for good; return the ids of those that were not settled before."""
    from headgate.kafka.letters import Settling

    with Settling(broker.bootstrap, broker.config.topic_names) as settling:
        return settling.discard([each.letter.id for each in letters], reason=why)


def view_of(filed: Filed) -> dict[str, Any]:
    """Return what a letter says, and what became of it."""
    from headgate.kafka.views import letter_view, settled_view

    seen = letter_view(filed.letter)
    return seen if filed.settled is None else {**seen, "settled": settled_view(filed.settled)}


def show_table(views: list[dict[str, Any]], *, is_all: bool) -> None:
    """Print letters, a line each."""
    columns = ["id", "at", "of", "type", "reason", "message"] + ["settled"] * is_all
    rows = []
    for each in views:
        message = str(each["message"])
        short = message if len(message) <= MESSAGE_CHARS else message[: MESSAGE_CHARS - 1] + "…"
        row = [each["id"], each["at"][:19], each["address"], each["event_type"], each["reason"]]
        settled = [each["settled"]["fate"] if "settled" in each else ""] * is_all
        rows.append([plain(str(cell)) for cell in (*row, short, *settled)])
    table(columns, rows)


def say_done(
    what: str, done: list[str], refused: dict[str, str], *, dry_run: bool, output: Output
) -> None:
    """Say which letters were replayed or discarded, and which cannot be, and why."""
    if output is Output.JSON:
        as_json({what: done, "refused": refused, "dry_run": dry_run})
        return
    would = "would be " if dry_run else ""
    for each in done:
        answers.print(each, highlight=False, markup=False)
    for name, why_not in refused.items():
        problems.print(f"{name} cannot be replayed: {why_not}", highlight=False, markup=False)
    letters = "dead letter" if len(done) == 1 else "dead letters"
    answers.print(f"{len(done)} {letters} {would}{what}", highlight=False)
