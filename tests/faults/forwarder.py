"""Passes messages from a publisher to its subscribers, and loses, repeats or reorders some.

    python forwarder.py UPSTREAM DOWNSTREAM KIND FAULT SHARE SEED

UPSTREAM is the publisher's endpoint, DOWNSTREAM the one that subscribers connect to. Only messages
of KIND are touched, and only after `inject` on standard input. The end of standard input ends the
program, which then prints the sequence numbers that it touched as JSON.
"""

import json
import random
import sys

import msgpack
import zmq

Socket = zmq.Socket[bytes]


class Fault:
    """What happens to the messages of one kind."""

    def __init__(self, kind: str, fault: str, *, share: float, seed: int) -> None:
        self._kind, self._fault, self._share = kind, fault, share
        self._random = random.Random(seed)
        self._held: bytes | None = None
        self.touched: list[int] = []
        self.active = False

    def passed(self, data: bytes) -> list[bytes]:
        """What subscribers get for `data`."""
        message = msgpack.unpackb(data)
        if message["kind"] != self._kind:
            return [data]
        held, self._held = self._held, None
        if held is not None:
            # the successor of a message that was held back is passed on as it is
            return [data, held]
        if not self.active or self._random.random() >= self._share:
            return [data]
        self.touched.append(message["seq"])
        self._held = data if self._fault == "reordered" else None
        return [data, data] if self._fault == "duplicates" else []


def main(upstream: str, downstream: str, fault: Fault) -> list[int]:
    """Forward until the end of standard input; the numbers of the messages that were touched."""
    with (
        zmq.Context() as context,
        context.socket(zmq.XSUB) as inlet,
        context.socket(zmq.XPUB) as outlet,
    ):
        for socket in (inlet, outlet):
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.SNDHWM, 100_000)
            socket.set(zmq.RCVHWM, 100_000)
        outlet.set(zmq.XPUB_VERBOSE, 1)
        inlet.connect(upstream)
        outlet.bind(downstream)
        poller = zmq.Poller()
        for source in (inlet, outlet, sys.stdin):
            poller.register(source, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if sys.stdin.fileno() in ready:
                if not sys.stdin.readline():
                    return fault.touched
                fault.active = True
            pass_on(inlet, outlet, ready, fault)


def pass_on(inlet: Socket, outlet: Socket, ready: dict[object, int], fault: Fault) -> None:
    """Pass messages down and subscriptions up."""
    if inlet in ready:
        for data in fault.passed(inlet.recv()):
            outlet.send(data)
    if outlet in ready:
        inlet.send(outlet.recv())


if __name__ == "__main__":
    _, _, _, kind, named, share, seed = sys.argv
    what = Fault(kind, named, share=float(share), seed=int(seed))
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], what)))
