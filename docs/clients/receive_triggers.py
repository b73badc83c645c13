"""Print the triggers of an output of kind zmq: python receive_triggers.py tcp://127.0.0.1:5720.

From another computer two files of docs/keys.md follow: the secret key of this one, and the public
key of the controller's. Needs pyzmq and msgpack alone; the message is an `action` of docs/wire.md.
"""

import sys

import msgpack
import zmq
import zmq.auth

socket = zmq.Context().socket(zmq.SUB)
if len(sys.argv) > 2:
    socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(sys.argv[2])
    socket.curve_serverkey, _ = zmq.auth.load_certificate(sys.argv[3])
socket.connect(sys.argv[1])
socket.subscribe(b"")
while True:
    action = msgpack.unpackb(socket.recv())
    print(action["number"], action["target"], action["value"], action["reason"], flush=True)
