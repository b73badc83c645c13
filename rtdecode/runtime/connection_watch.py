"""Notices at once that a process of the run has ended, by the loss of the connection to it.

The kernel closes the sockets of a process that is killed, on Unix sockets and over TCP alike. A
process that stands still, and a machine that loses its power, close nothing: heartbeats show those.
"""

from collections.abc import Mapping

from rtdecode.runtime.arrivals import monitor_event
from rtdecode.runtime.sockets import Messaging, Socket, received_parts

_CONNECTED, _DISCONNECTED = 0x1000, 0x0200
"""ZMQ_EVENT_HANDSHAKE_SUCCEEDED and ZMQ_EVENT_DISCONNECTED of zmq.h."""


class ConnectionWatch:
    """Connections to some endpoints, of which each loss is reported once.

    Parameters
    ----------
    endpoints
        Endpoint of each process, by the name under which its loss is reported.
    """

    def __init__(self, messaging: Messaging, endpoints: Mapping[str, str]) -> None:
        self._monitors = {
            name: messaging.monitored(endpoint) for name, endpoint in endpoints.items()
        }
        self.connected: set[str] = set()
        """Names of the processes to which there was a connection at the last call of `lost`."""

    def lost(self) -> list[str]:
        """Names of the processes to which a connection was lost since the last call."""
        return [name for name, monitor in self._monitors.items() if self._is_lost(name, monitor)]

    def _is_lost(self, name: str, monitor: Socket) -> bool:
        events = [monitor_event(parts)[0] for _, parts in received_parts(monitor, 0.0)]
        if events:
            change = self.connected.add if events[-1] == _CONNECTED else self.connected.discard
            change(name)
        return _DISCONNECTED in events
