"""Stand-ins for the vendors' tools: stateful, in Python, on the host; the guest only has a script that calls them.

`silicon` holds what the hardware remembers, `tool` is what a stand-in is, `catalog` lists them all.
"""
