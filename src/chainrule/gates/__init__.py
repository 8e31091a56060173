"""The gates: a forward rule and a backward rule each, one file a family; and how users write their own."""
