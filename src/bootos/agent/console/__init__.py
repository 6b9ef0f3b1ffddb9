"""The status page and the shell on the machine's consoles: a process of its own (`main`), and what the agent leaves for
it (`status`, `logfile`). It is in memory as long as the machine is on, so nothing here imports msgspec.
"""
