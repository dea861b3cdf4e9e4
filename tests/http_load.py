"""Load from a process of its own: kept connections, requests made before the clock starts, answers hardly read.

``python -m tests.http_load PORT PATH BODIES --connections 16 (--count N | --seconds S) [--ids]``, the token in
``$LOAD_TOKEN``, BODIES a file with one JSON body a line, asked in turn. Prints one JSON object at its end. With
``--ids`` it goes on until it is killed, through lost connections, and writes the id of every answer by one call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

HOST = "127.0.0.1"
ID = b'"prediction_id":"'


class Load:
    """What all connections share."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        token = os.environ.get("LOAD_TOKEN", "")
        lines = Path(asked.bodies).read_bytes().splitlines()
        self.requests = cycle([_request(asked.path, token, line) for line in lines])
        self.left = asked.count or 2**62
        self.until = time.perf_counter() + (asked.seconds or 10.0**9)
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.sizes = 0
        self.lost = 0
        self.answered = asyncio.Event()
        self.open = 0

    def more(self) -> bool:
        """Return whether one more request is to be sent."""
        self.left -= 1
        return self.left >= 0 and time.perf_counter() < self.until

    def ended(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.answered.set()


def _request(path: str, token: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Authorization: Bearer {token}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One kept connection: the next request is sent when the answer is whole."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.under_way = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        if not self.load.more():
            self.transport.close()
            return
        self.under_way = True
        self.began = time.perf_counter()
        self.transport.write(next(self.load.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.buffer.lower().find(b"content-length:", 0, end)
        whole = end + 4 + int(self.buffer[at + 15 : self.buffer.find(b"\r", at)])
        if len(self.buffer) < whole:
            return
        self.answered(int(self.buffer[9:12]), self.buffer[end + 4 : whole])
        self.buffer = b""
        self.send()

    def answered(self, status: int, body: bytes) -> None:
        self.under_way = False
        self.load.latencies.append(time.perf_counter() - self.began)
        self.load.statuses[status] += 1
        self.load.sizes += len(body)
        if self.load.asked.ids and status == 200:
            at = body.index(ID) + len(ID)
            os.write(1, body[at : body.index(b'"', at)] + b"\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio names it
        self.load.lost += self.under_way
        if self.under_way and self.load.asked.ids:
            asyncio.get_running_loop().create_task(connect(self.load))
        else:
            self.load.ended()


async def connect(load: Load) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.create_connection(lambda: Connection(load), HOST, load.asked.port)
        except OSError:
            if not load.asked.ids:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def run(asked: argparse.Namespace) -> dict[str, object]:
    load = Load(asked)
    load.open = asked.connections
    began = time.perf_counter()
    for _ in range(asked.connections):
        await connect(load)
    await load.answered.wait()
    seconds = time.perf_counter() - began
    latencies = sorted(load.latencies) or [float("nan")]
    return {
        "requests": len(load.latencies),
        "per_second": len(load.latencies) / seconds,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
        "statuses": {str(status): count for status, count in load.statuses.items()},
        "lost": load.lost,
        "bytes": load.sizes / max(1, len(load.latencies)),
        "client_cpu_ms": 1000 * time.process_time() / max(1, len(load.latencies)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("bodies")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--ids", action="store_true")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
