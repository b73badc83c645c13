"""All I/O between processes: sockets, codec, clock, the one main loop, and who watches whom."""
