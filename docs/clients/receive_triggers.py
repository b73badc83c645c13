"""Print the triggers of an output of kind zmq: python receive_triggers.py tcp://127.0.0.1:5720.

From another computer two files of docs/keys.md follow: the secret key of this one, and the public
key of the controller's. Needs pyzmq and msgpack alone; the message is an `action` of docs/wire.md.
"""

import sys

import msgpack
import zmq
import zmq.auth

endpoint, *keys = sys.argv[1:]
socket = zmq.Context().socket(zmq.SUB)
if keys:
    socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(keys[0])
    socket.curve_serverkey, _ = zmq.auth.load_certificate(keys[1])
socket.connect(endpoint)
socket.subscribe(b"")
while True:
    action = msgpack.unpackb(socket.recv())
    print(action["number"], action["target"], action["value"], action["reason"], flush=True)
