"""Start or stop a run, or ask for its state: python start_session.py SESSION start|stop|state.

Needs pyzmq alone; the requests are those of docs/hosts.md. SESSION is the folder that `rtdecode
run` has printed, whose requests.json has the endpoint and the token.
"""

import json
import sys
from pathlib import Path

import zmq

session, verb = Path(sys.argv[1]), sys.argv[2]
access = json.loads((session / "requests.json").read_text())
socket = zmq.Context().socket(zmq.REQ)
socket.set(zmq.RCVTIMEO, 5000)
socket.set(zmq.LINGER, 0)
socket.connect(access["endpoint"])
socket.send_string(f"{verb} {access['token']}")
print(socket.recv_string(), flush=True)
