"""What a template does to one machine: plan it, refuse what is wrong, carry it out, read again and compare.

It knows no server and no agent: the agent's jobs, `bootos-agent` by hand, the vendor commands and
`bootos template check --inventory` use it.
"""
