#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# chat.py NETWORK: sends the lines of standard input, prints what others send.
import fcntl, os, select, struct, sys

JOIN = struct.Struct("=IIIIiI4Q128s4Q")  # struct ipn_join of <ipn/ioctl.h>
device = os.open(os.environ.get("IPN_DEVICE", "/dev/ipn"), os.O_RDWR)
def join(command, policy, name):  # an ioctl number: in and out, size, 'Y', command
    number = 3 << 30 | JOIN.size << 16 | ord("Y") << 8 | command
    fcntl.ioctl(device, number, JOIN.pack(JOIN.size, 0, policy, 0, -1, *[0] * 5, name, *[0] * 4))
join(1, 1, sys.argv[1].encode())  # BIND, IPN_BROADCAST: makes the network if there is none
join(2, 0, b"")  # CONNECT to it
lines, poll = open(0, "rb", 0), select.poll()
poll.register(device, select.POLLIN), poll.register(lines, select.POLLIN)
while ready := dict(poll.poll()):
    if device in ready:
        if not (message := os.read(device, 65792)):
            break  # the network ended
        print(message.decode(errors="replace"), flush=True)
    elif not (line := lines.readline()):
        break  # the input ended
    else:
        os.write(device, line.rstrip(b"\n"))
