"""What `/metrics` tells: upstream's names where upstream has them (spec/rollout.md 5.1), and what the process counts of itself.

`exposition` is the way in. Nothing is kept here: every number is read from stores and counters at the moment of the scrape.
"""

from rollouts.metrics.exposition import exposition

__all__ = ["exposition"]
