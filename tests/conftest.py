"""For all tests."""

import signal

# Whatever a script runs in its background ignores Ctrl-C, and so would all that the tests start:
# those that send one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
