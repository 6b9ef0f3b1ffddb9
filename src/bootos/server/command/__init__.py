"""The operator's commands, mounted by `bootos.cli`. All but `serve` are clients of the operator API."""
