"""The agent's network: which interface is used and why, its addresses, the way to the server. `uplink` is the entry."""
