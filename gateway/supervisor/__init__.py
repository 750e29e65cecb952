"""The process that keeps the others going, from the start of a server to its end.

supervisor.py   the process itself: its loop, its children, signals, stopping
roles.py        what the children do, and what a worker is given
node.py         the listening socket, the data folder and its lock
child.py        what a forked process tells the kernel
log.py          its log, which must never block
"""
