"""JSONata in states: the fields whose values are, or hold, expressions between ``{%`` and ``%}``."""
