#!/bin/bash
# The demo's PRE hook: runs right after the agent started.
echo "PRE script: $(uname -sr), server $SERVER_ADDR"
