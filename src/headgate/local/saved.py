"""Checkpoints and savepoints on this machine's disk, and whose they are."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


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


def kept(job: str, savepoints: Path | None, checkpoints: Path | None) -> str:
    """Return the newest savepoint of a job of Flink's, else its newest checkpoint; "" if there is
    none in folders that this machine can read.

    A savepoint's name has the first six digits of its job's id, a checkpoint's folder all of them.
    """
    found = list(savepoints.glob(f"savepoint-{job[:6]}-*/_metadata")) if savepoints else []
    if not found and checkpoints:
        found = list(checkpoints.glob(f"{job}/chk-*/_metadata"))
    if not found:
        return ""
    return max(found, key=lambda each: each.stat().st_mtime_ns).parent.as_uri()


def folder_here(url: str) -> Path | None:
    """Return the folder that a file: URL names, None where this machine has none."""
    parts = urlsplit(url)
    folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
    return folder if folder is not None and folder.is_dir() else None
