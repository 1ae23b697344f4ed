"""Checkpoints and savepoints on this machine's disk, and whose they are."""

from pathlib import Path


def newest_checkpoint(home: Path, journal: str) -> str | None:
    """Return the newest complete checkpoint or savepoint below a stack's folder, if any, of the job
    that reads a journal: others, as that of a warm standby, may run on the stack as well.

    A checkpoint is complete once it has its `_metadata`, which Flink writes last.
    """
    found = [
        *home.glob("flink/checkpoints/*/chk-*/_metadata"),
        *home.glob("flink/savepoints/*/_metadata"),
    ]
    for metadata in sorted(found, key=lambda each: each.stat().st_mtime_ns, reverse=True):
        if has_read(metadata, journal):
            return metadata.parent.as_uri()
    return None


def has_read(metadata: Path, topic: str) -> bool:
    """Tell whether the job of a checkpoint, by its `_metadata`, reads a topic.

    How far sources have read stands in there: a topic's name, with its length before it as Java
    writes it.
    """
    name = topic.encode()
    try:
        return len(name).to_bytes(2, "big") + name in metadata.read_bytes()
    except FileNotFoundError:
        # Flink has a newer one, and took this away.
        return False
