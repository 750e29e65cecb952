"""URLs of thumbor and imagor.

path.py        a path, taken apart
table.py       the filters: one table that reads and documents them
asked.py       what path and filters ask for
geometry.py, pixels.py, overlay.py, output.py, delivery.py
               how the filters of a group are read
arguments.py   what the filters' arguments have in common
pairs.py       what is asked for in our options
"""
