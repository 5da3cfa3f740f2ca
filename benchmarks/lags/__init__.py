"""The long time lag tasks of 1997 and 2000, and small compiled nets that learn them; benchmarks/lags.py runs them."""
