"""Rendering outside the workers: a broker process, the decoders it owns, and the client that workers hold.

client.py     what a worker uses
broker.py     one process a node: queue, admission, single flight, shared memory of renditions
decoder.py    one render at a time, in a sandbox; the only processes that import pyvips
launch.py     starts a broker for a supervisor
wire.py       the messages between them
"""
