"""What can be set: groups of settings by what they are about, all of them as one model, and the kinds of values they take.

server.py, images.py, ...   the groups
settings.py                 all of them as one model, and what follows from several
contradictions.py           several that do not go together
shown.py                    their names as variables, their values as they may be shown
fields.py, address.py       kinds of values

`gateway.config` reads them from their sources.
"""
