"""What libraries log inside a TaskManager.

In thread mode Python's root logger lets everything through to Java, which then throws DEBUG away.
kafka-python logs several such lines for each poll of each follower, and every one of them crosses.
"""

import logging


def hush() -> None:
    """Let kafka-python log from INFO on, unless somebody has said otherwise."""
    kafka = logging.getLogger("kafka")
    if kafka.level == logging.NOTSET and kafka.isEnabledFor(logging.DEBUG):
        kafka.setLevel(logging.INFO)
