"""Print the triggers of an output of kind zmq: python receive_triggers.py tcp://HOST:5720.

Needs pyzmq and msgpack alone; the message is an `action` of docs/wire.md.
"""

import sys

import msgpack
import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe(b"")
while True:
    action = msgpack.unpackb(socket.recv())
    print(action["number"], action["target"], action["value"], action["reason"], flush=True)
