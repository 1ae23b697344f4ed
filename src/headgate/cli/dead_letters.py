"""`headgate dead-letters`: what could not be taken; hand it to the job again, or give it up."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.letter_filter import (
    AddressOption,
    AgentOption,
    IdsArgument,
    LetterFilter,
    ReasonOption,
    SinceOption,
    TopicOption,
    TypeOption,
    UntilOption,
    read_filter,
)
from headgate.cli.letters import (
    NoLetterError,
    discard_letters,
    find,
    open_ones,
    replay_letters,
    say_done,
    show_table,
    tell_doubt,
    view_of,
)
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table

dead_letters = typer.Typer(
    help="See what could not be taken; replay it, or give it up.", no_args_is_help=True
)

EverythingOption = Annotated[
    bool, typer.Option("--everything", help="All that stand open, where nothing else is named.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
]
WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="Kept with the letters.", show_default=False)
]


@dead_letters.command("list")
def list_letters(
    ids: IdsArgument = None,
    *,
    agent: AgentOption = None,
    address: AddressOption = None,
    reason: ReasonOption = None,
    event_type: TypeOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    is_all: Annotated[
        bool, typer.Option("--all", help="Those that were replayed or discarded too.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="The oldest N.")
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the dead letters that stand open, oldest first.

    [bold]Examples[/]

      headgate dead-letters list --agent order --since 2h
      headgate dead-letters list -o json | jq -r '.[].id'
    """
    wanted = read_filter(
        ids,
        agent=agent,
        address=address,
        reason=reason,
        event_type=event_type,
        topic=topic,
        since=since,
        until=until,
    )
    broker = find_broker(config, bootstrap)
    found = find(broker, wanted, is_all=is_all)
    views = [view_of(each) for each in islice(found, limit)]
    if not views:
        tell_doubt(broker, wanted)
    if output is Output.JSON:
        as_json(views)
    elif not views:
        answers.print("No dead letters." if wanted.is_empty else "No such dead letters.")
    else:
        show_table(views, is_all=is_all)


@dead_letters.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show all of one dead letter: why, of what record, what it held, what became of it.

    [bold]Example[/]

      headgate dead-letters show order/17/4
    """
    broker = find_broker(config, bootstrap)
    wanted = LetterFilter(ids=frozenset({letter_id}))
    found = next(find(broker, wanted, is_all=True), None)
    if found is None:
        message = f"no dead letter {letter_id!r}; see `headgate dead-letters list --all`"
        raise NoLetterError(message)
    seen = view_of(found)
    if output is Output.JSON:
        as_json(seen)
        return
    import json

    rows = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in seen.items()
    ]
    shown = [(name, plain(text)) for name, text in rows if text not in {"", "0", "false"}]
    table(("", ""), shown)


@dead_letters.command("replay")
def replay(
    ids: IdsArgument = None,
    *,
    agent: AgentOption = None,
    address: AddressOption = None,
    reason: ReasonOption = None,
    event_type: TypeOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: EverythingOption = False,
    dry_run: DryRunOption = False,
    why: WhyOption = "",
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Hand records of dead letters to the job again, each once, behind what already waits.

    Only the instance that gave an event up gets it again; a record that was
    for nobody goes where the routes lead now. Its letter is settled in the
    same transaction.

    [bold]Examples[/]

      headgate dead-letters replay order/17/4
      headgate dead-letters replay --agent order --reason agent_error --dry-run
    """
    wanted = read_filter(
        ids,
        agent=agent,
        address=address,
        reason=reason,
        event_type=event_type,
        topic=topic,
        since=since,
        until=until,
    )
    broker = find_broker(config, bootstrap)
    letters = open_ones(broker, wanted, everything=everything)
    done, refused = replay_letters(broker, letters, why=why, dry_run=dry_run)
    say_done("replayed", done, refused, dry_run=dry_run, output=output)


@dead_letters.command("discard")
def discard(
    ids: IdsArgument = None,
    *,
    agent: AgentOption = None,
    address: AddressOption = None,
    reason: ReasonOption = None,
    event_type: TypeOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: EverythingOption = False,
    dry_run: DryRunOption = False,
    why: WhyOption = "",
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Give dead letters up for good: they are listed no more, and never replayed.

    [bold]Example[/]

      headgate dead-letters discard --reason not_json --since 1d --why 'bad import'
    """
    wanted = read_filter(
        ids,
        agent=agent,
        address=address,
        reason=reason,
        event_type=event_type,
        topic=topic,
        since=since,
        until=until,
    )
    broker = find_broker(config, bootstrap)
    letters = open_ones(broker, wanted, everything=everything)
    done = [each.letter.id for each in letters]
    if done and not dry_run:
        done = discard_letters(broker, letters, why=why)
    say_done("discarded", done, {}, dry_run=dry_run, output=output)
