"""Show a clip and print its flip: python send_commands.py ENDPOINT CLIP [NUMBER OF THE COMMAND].

Needs pyzmq and msgpack alone; the messages are those of docs/wire.md, "Commands to the stimulus".
"""

import sys
import time

import msgpack
import zmq

endpoint, clip, number = sys.argv[1], sys.argv[2], int(*sys.argv[3:] or "0")
socket = zmq.Context().socket(zmq.DEALER)
socket.set(zmq.IDENTITY, b"mine")
socket.connect(endpoint)
now = time.monotonic_ns()
head = {"v": 2, "kind": "action", "source": "mine", "seq": number, "t_ns": now, "clock": "host"}
what = {"number": number, "name": "show_clip", "target": clip, "policy": "mine", "outcome": "sent"}
why = {"cause": "", "cause_frame": -1, "t_cause_ns": 0, "t_scan_ns": 0}
socket.send(msgpack.packb({**head, **what, **why, "t_observed_ns": now, "t_decided_ns": now}))
while (result := msgpack.unpackb(socket.recv()))["kind"] != "acknowledgement":
    pass
print(result["result"], result["frame_number"], result["t_flip_ns"], result["text"], flush=True)
