"""Rendering outside the workers: a broker process, the decoders it owns, and the client that workers hold.

client.py      what a worker uses
request.py     what it asks for
source.py      from which files
rendition.py   what it gets
broker.py      one process a node: queue, admission, single flight, shared memory of renditions
flight.py      a rendition that is being made, and who waits for it
task_cost.py   what it will cost, by the headers of its sources
pool.py        the decoders
decoder.py     one render at a time, in a sandbox; the only processes that import pyvips
launch.py      starts a broker for a supervisor
wire.py        the messages between them
"""
