"""The images of a release, for two processors, put together without running anything of theirs: no daemon, no root.

Debian's packages are unpacked, Python's wheels for the processor beside them; nothing else is in: no shell, no pip.
"""
