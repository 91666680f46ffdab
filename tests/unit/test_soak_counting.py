"""What the soak calls memory of this process is what it holds, not what its allocator once needed."""

import threading

from soak.counting import own_resident_mib

MANY = 100_000
BYTES = 1_000
"""Above what Python's own allocator takes, below what the C library's gets from the system piece by piece."""


def test_what_threads_held_once_is_no_growth() -> None:
    before = own_resident_mib()
    held: list[list[bytearray]] = []
    last: list[bytearray] = []

    def hold() -> None:
        held.append([bytearray(BYTES) for _ in range(MANY)])
        last.append(bytearray(BYTES))  # above all the others in this thread's heap, which cannot shrink below it

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert own_resident_mib() > before + 80
    held.clear()
    assert own_resident_mib() < before + 20
    assert len(last) == 1
