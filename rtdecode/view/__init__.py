"""The live web page: displayed frames, decoded frames, score and latency of a running session.

Nothing is imported here: a computer without the extra `decoder` reads what the config says of a
page, and has no web server.
"""
