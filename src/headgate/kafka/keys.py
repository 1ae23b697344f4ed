"""Private keys in PEM: which of its many forms Kafka's Java client reads."""

from __future__ import annotations

import re
from pathlib import Path

from headgate.kafka.errors import KafkaCredentialError

_HEADER = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----")


def check_key(path: str) -> None:
    """Raise KafkaCredentialError unless the key in a file is PKCS 8, without a password."""
    found = _HEADER.search(Path(path).read_text(encoding="utf-8"))
    if found is not None and found[1] == "PRIVATE KEY":
        return
    form = f"is {found[1]!r}" if found else "holds no private key"
    message = (
        f"{path} (kafka.key_file) {form}; Kafka's Java client reads 'PRIVATE KEY' (PKCS 8): make "
        "it with `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW`"
    )
    raise KafkaCredentialError(message)
