"""`python -m llm_net.cli` is `llm-net`."""

import sys

from llm_net.cli import main

sys.exit(main())
