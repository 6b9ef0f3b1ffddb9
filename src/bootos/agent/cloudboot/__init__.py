"""All that a server which speaks Cloudboot v1 only needs of the agent: `flow.work_v1` takes the place of registering,
long-poll and job.
"""
