"""Change the machine: one module per kind of hardware, by the contract in contract.py."""
