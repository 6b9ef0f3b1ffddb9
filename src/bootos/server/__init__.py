"""The operator's side: what machines boot, what they are told, what operators see and do."""
