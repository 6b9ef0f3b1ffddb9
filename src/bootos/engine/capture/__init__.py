"""What was read can be shown: a capture of a machine, or raw outputs of its tools, understood anywhere by the readers
and drivers that run on a machine. Nothing is run and nothing is changed here.
"""
