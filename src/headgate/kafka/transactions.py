"""The transactions of the job's sink at the broker: which are open, and ending them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka.connect import admin_client
from headgate.kafka.credentials import python_settings

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

_SINK = "records"
ONGOING = "Ongoing"
COMMITTED = "CompleteCommit"
# Markers go to every partition of a transaction; a busy broker takes a second for it.
END_SECONDS = 30.0
POLL_SECONDS = 0.05
# The level of the cluster's feature "transaction.version" from which epochs are bumped.
KIP_890 = 2


class TransactionNotEndedError(HeadgateError):
    """A transaction could not be committed or aborted.

    Operator action: read the broker's answer in the message; try again once its cause is gone.
    """


@dataclass(frozen=True, slots=True)
class Transaction:
    """The newest transaction of a transactional id, in the broker's words."""

    transactional_id: str
    producer_id: int
    epoch: int
    state: str


def transactional_id_prefix(job: str) -> str:
    """Return what the transactional ids of a job's sink begin with."""
    return f"{job}-{_SINK}"


def belongs_to(job: str, transactional_id: str) -> bool:
    """Tell whether an id is one of this job's sink: Flink adds subtask and a number to the prefix.

    >>> belongs_to("headgate", "headgate-records-0-3")
    True
    >>> belongs_to("headgate", "headgate-2-records-0-3")
    False
    """
    prefix = re.escape(transactional_id_prefix(job))
    return bool(re.fullmatch(rf"{prefix}-\d+-\d+", transactional_id))


def open_transactions(bootstrap: Bootstrap, job: str) -> list[Transaction]:
    """Return the transactions of a job's sink that hold readers of the committed up."""
    with admin_client(bootstrap) as admin:
        listed: dict[Any, list[Any]] = admin.list_transactions(state_filters=[ONGOING])
        names = [
            each.transactional_id
            for found in listed.values()
            for each in found
            if belongs_to(job, each.transactional_id)
        ]
        described = _describe(admin, names)
    return [each for each in described.values() if each.state == ONGOING]


def describe(bootstrap: Bootstrap, names: Iterable[str]) -> dict[str, Transaction]:
    """Return the newest transaction of each id; ids that the broker has forgotten are missing."""
    with admin_client(bootstrap) as admin:
        return _describe(admin, names)


def bumps_epochs(bootstrap: Bootstrap) -> bool:
    """Tell whether the end of a transaction makes a new epoch in this cluster (KIP-890)."""
    with admin_client(bootstrap) as admin:
        return _bumps(admin)


def commit(bootstrap: Bootstrap, transaction: Transaction) -> None:
    """Commit a transaction that another producer has flushed, and wait until readers see it."""
    from kafka.errors import NoError, for_code
    from kafka.protocol.producer.transaction import EndTxnRequest

    with admin_client(bootstrap) as admin:
        request = EndTxnRequest(
            transactional_id=transaction.transactional_id,
            producer_id=transaction.producer_id,
            producer_epoch=transaction.epoch,
            committed=True,
            # A repeat of the commit is recognised by the new epoch: Flink makes one when it
            # restores.
            max_version=5 if _bumps(admin) else 3,
        )
        answer = admin._manager.run(_to_coordinator, admin, request)
        error = for_code(answer.error_code)
        if error is not NoError:
            message = f"{transaction.transactional_id} was not committed: {error.__name__}"
            raise TransactionNotEndedError(message)
        _await_end(admin, transaction.transactional_id)


def abort(bootstrap: Bootstrap, transactional_id: str) -> None:
    """Abort what is open under an id and fence its writer: a new epoch of the id is asked for."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    producer = KafkaProducer(
        **python_settings(bootstrap),
        client_id="headgate",
        transactional_id=transactional_id,
        max_block_ms=int(END_SECONDS * 1_000),
        metrics_enabled=False,
    )
    try:
        producer.init_transactions()
    except KafkaError as error:
        message = f"{transactional_id} was not aborted: {error}"
        raise TransactionNotEndedError(message) from error
    finally:
        producer.close(timeout=1)
    with admin_client(bootstrap) as admin:
        _await_end(admin, transactional_id)


def _bumps(admin: Any) -> bool:
    features: dict[str, Any] = admin.describe_features()
    finalized = (features.get("transaction.version") or {}).get("finalized", (0, 0))
    return int(finalized[1]) >= KIP_890


async def _to_coordinator(admin: Any, request: Any) -> Any:
    from kafka.protocol.metadata import CoordinatorType

    name = request.transactional_id
    found = await admin._find_coordinator_ids([name], key_type=CoordinatorType.TRANSACTION)
    return await admin._manager.send(request, node_id=found[name])


def _describe(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, Transaction]:
    from kafka.errors import TransactionalIdNotFoundError

    found: dict[str, Transaction] = {}
    for name in dict.fromkeys(names):
        try:
            # One by one: a single id that is not known would fail them all.
            one = admin.describe_transactions([name])[name]
        except TransactionalIdNotFoundError:
            continue
        found[name] = Transaction(name, one.producer_id, one.producer_epoch, one.state.value)
    return found


def _await_end(admin: KafkaAdminClient, name: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while True:
        found = _describe(admin, [name]).get(name)
        if found is None or (found.state != ONGOING and not found.state.startswith("Prepare")):
            return
        if time.monotonic() > deadline:
            message = f"{name} is {found.state} after {END_SECONDS:.0f} s"
            raise TransactionNotEndedError(message)
        time.sleep(POLL_SECONDS)
