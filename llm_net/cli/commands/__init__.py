"""The commands of `llm-net`: one module each, named after it, which holds a `command`. None knows another."""
