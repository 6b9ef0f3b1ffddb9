"""Each use case once: pages, operator API, command line, agents and Cloudboot v1 call the same functions."""
