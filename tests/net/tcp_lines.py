#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Opens TCP connections to servers that answer a line with their name and that line
(named_echo.py), sends numbered lines on each, some with long silences, and checks the answers.

usage: tcp_lines.py ADDRESS PORT RATE LIFE SECONDS SOURCE...

Opens RATE connections a second for SECONDS or until SIGUSR1, from each SOURCE in turn; each connection lasts
LIFE seconds. Prints a line for each connection at its end: time of its start, source, server, number of
lines, and "ok" or the error."""

import asyncio
import signal
import sys
import time

address, port = sys.argv[1], int(sys.argv[2])
rate, life, seconds = (float(text) for text in sys.argv[3:6])
sources = sys.argv[6:]
PATIENCE = 15


async def exchange(reader, writer, number):
    line = b"line %d\n" % number
    writer.write(line)
    answer = await asyncio.wait_for(reader.readline(), PATIENCE)
    name, _, rest = answer.partition(b" ")
    if rest != line:
        raise ConnectionError(f"answered {answer}")
    return name.decode()


async def talk(source, silence):
    opened, names, number, result = time.time(), [], 0, "ok"
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(address, port, local_addr=(source, 0)), PATIENCE)
        while True:
            name = await exchange(reader, writer, number)
            number += 1
            if name not in names:
                names.append(name)
            if time.time() >= opened + life:
                break
            await asyncio.sleep(silence)
        writer.close()
        await writer.wait_closed()
    except (OSError, asyncio.TimeoutError) as error:
        result = f"broken: {error or 'no answer'}"
    print(f"{opened:.3f}", source, ",".join(names) or "-", number, result, flush=True)


async def main():
    talks, begin, count, end = [], time.time(), int(rate * seconds), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, end.set)
    for i in range(count):
        await asyncio.sleep(max(0, begin + i / rate - time.time()))
        if end.is_set():
            break
        # Every fourth connection is silent for most of its life.
        talks.append(asyncio.create_task(talk(sources[i % len(sources)], life if i % 4 == 0 else 0.5)))
    await asyncio.gather(*talks)


asyncio.run(main())
