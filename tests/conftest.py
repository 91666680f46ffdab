"""What every test takes for granted."""

import os
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

# Nodes are threads of the tests' processes. All of those are one session, which is one group to Linux' scheduler; it
# gets as much of a busy machine as one of the many control planes, operators and trainers, which have sessions of their
# own. A node that is a thread must not look like one that hangs.
_GROUP_PRIORITY = "-5"
if os.geteuid() == 0:
    try:
        with open("/proc/self/autogroup", "w") as _group:
            _group.write(_GROUP_PRIORITY)
    except OSError:  # a kernel without such groups, or one that does not let us
        pass
