"""URLs of imgproxy.

path.py        a path, taken apart
table.py       the options: one table that reads and documents them
asked.py       what they ask for
geometry.py, pixels.py, overlay.py, output.py, delivery.py
               how the options of a group are read
arguments.py   what the options' arguments have in common
pairs.py       what is asked for in our options
"""
