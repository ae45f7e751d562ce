"""A network of the test's own: counters that no other test moves."""
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000


def enter_private_network():
    """Moves this thread, and what it starts from now on, into a network namespace with only a loopback device. Returns
    a function that leads back, or None where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # ip link set lo up
        fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x1 | 0x40))

    def back():
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)
    return back
