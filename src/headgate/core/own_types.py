"""Types of the events that Headgate makes itself. Nobody else may send one: handlers trust them."""

TIMER = "headgate.timer"
"""A timer that is due; the subject is its name."""

SIGNAL = "headgate.signal"
"""A signal; the subject is its name."""

OWN_TYPES = frozenset((TIMER, SIGNAL))
