# SPDX-License-Identifier: GPL-2.0
# Sends the command `trace` to sipxdpd and prints each line that it receives.
import json, socket, sys

daemon = socket.socket(socket.AF_UNIX)
daemon.connect('/run/sipxdp/ctl.sock')
request = {'command': 'trace', 'arguments': json.loads(sys.argv[1])}
daemon.sendall(json.dumps(request).encode() + b'\n')
for line in daemon.makefile():
    print(line, end='', flush=True)
