"""What every test takes for granted."""

import signal

# Whoever starts the tests in the background of a shell without job control starts them deaf to Ctrl-C, and so every
# process that they start: those that test Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
