"""Reading a checkpoint or savepoint with Flink's own code, wherever Flink can reach it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from py4j.protocol import Py4JError
from pyflink.java_gateway import get_gateway

from headgate.repair.checkpoint import (
    COMMITTABLES,
    SPLITS,
    Checkpoint,
    CheckpointUnreadableError,
    Prepared,
    prepared_of,
    split_of,
)


def read_checkpoint(path: str) -> Checkpoint:
    """Return what a complete checkpoint or savepoint covers.

    Raises:
        CheckpointUnreadableError: there is none, its storage is out of reach, or its form is
            another Flink's.
    """
    try:
        number, states = _load(path)
    except Py4JError as error:
        cause = str(getattr(error, "java_exception", None) or error).splitlines()[0]
        message = f"the checkpoint {path} cannot be read here: {cause}"
        raise CheckpointUnreadableError(message) from error
    positions: dict[tuple[str, int], int] = {}
    prepared: list[Prepared] = []
    for name, raw in states:
        if name == SPLITS:
            topic, partition, offset = split_of(raw)
            positions[topic, partition] = offset
        else:
            prepared += prepared_of(raw)
    # A rescaled job restores the same committables in several subtasks.
    return Checkpoint(path, number, positions, tuple(dict.fromkeys(prepared)))


def _load(path: str) -> tuple[int, list[tuple[str, bytes]]]:
    jvm: Any = get_gateway().jvm
    _reach(jvm, path)
    storage = jvm.org.apache.flink.runtime.state.filesystem.AbstractFsCheckpointStorageAccess
    handle = storage.resolveCheckpointPointer(path).getMetadataHandle()
    stream = jvm.java.io.DataInputStream(handle.openInputStream())
    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        checkpoints = jvm.org.apache.flink.runtime.checkpoint.Checkpoints
        metadata = checkpoints.loadCheckpointMetadata(stream, loader, path)
    finally:
        stream.close()
    found = [
        element
        for operator in metadata.getOperatorStates().toArray()
        for subtask in operator.getStates().toArray()
        for state in subtask.getManagedOperatorState().toArray()
        for element in _elements(state)
    ]
    return int(metadata.getCheckpointId()), found


def _reach(jvm: Any, path: str) -> None:
    """See to it that Flink knows what serves the path: `s3://` and its like are served by plugins.

    Flink's own processes load them as they start. The JVM of a command does not, and would find
    none; in theirs, where an entry script runs, they must not be loaded a second time.
    """
    try:
        jvm.org.apache.flink.core.fs.Path(path).getFileSystem()
    except Py4JError as error:
        if "UnsupportedFileSystemScheme" not in str(getattr(error, "java_exception", "")):
            raise
        settings = jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration()
        plugins = jvm.org.apache.flink.core.plugin.PluginUtils
        manager = plugins.createPluginManagerFromRootFolder(settings)
        jvm.org.apache.flink.core.fs.FileSystem.initialize(settings, manager)


def _elements(state: Any) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each element of the lists that tell about Kafka."""
    lists = state.getStateNameToPartitionOffsets()
    wanted = {
        name: list(lists[name].getOffsets()) for name in (SPLITS, COMMITTABLES) if name in lists
    }
    if not any(wanted.values()):
        return
    stream = state.openInputStream()
    try:
        raw = bytes(stream.readAllBytes())
    finally:
        stream.close()
    for name, offsets in wanted.items():
        for offset in offsets:
            (length,) = struct.unpack_from(">i", raw, offset)
            yield name, raw[offset + 4 : offset + 4 + length]
