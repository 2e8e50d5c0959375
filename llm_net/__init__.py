"""llm_net: messages, generative agents, and networks of them."""
