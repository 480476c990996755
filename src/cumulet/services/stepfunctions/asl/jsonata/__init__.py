"""JSONata in states: expressions between ``{%`` and ``%}``, evaluated by a library, bounded in time and memory."""
