"""The only room that knows HTTP serving: the wire, the ASGI adapter, the table of operations and what they answer."""
