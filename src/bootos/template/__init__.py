"""What the operator wants: models, checks, JSON Schema."""
