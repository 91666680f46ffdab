"""What every test takes for granted."""

import signal

import hypothesis

# Examples are counted, not timed: how long one takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Whoever starts the tests in the background (nohup, `&` without job control) starts them deaf to these, and so every
# process that they start: what is ignored stays ignored. Those that test Ctrl-C would wait for ever.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
