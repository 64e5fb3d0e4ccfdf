"""How one job runs: its cell, its attempts, its results, and what becomes of it after a crash."""
