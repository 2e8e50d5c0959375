"""The interaction protocols of FIPA: rules, and networks that begin them. The acts are in `llm_net.protocols.acts`."""
