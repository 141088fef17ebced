"""The documents that pass between rooms, how they are read, and the catalogs of facts behind them."""
