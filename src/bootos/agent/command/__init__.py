"""Commands of `bootos` that need the agent's engine on the operator's host; composed by `bootos.cli`."""

from bootos.agent.command.template import template_app

__all__ = ["template_app"]
