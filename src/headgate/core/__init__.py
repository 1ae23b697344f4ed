"""The protocol, pure: data in, data out.

Nothing here reads a clock, draws a random number, logs or talks to anything. Only the standard
library and the committed protobuf stubs are imported; ``tests/unit/test_core_is_pure.py`` holds the
list. Start at :mod:`headgate.core.machine`.
"""
