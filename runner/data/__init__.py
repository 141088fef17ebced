"""From raw text to the documents that are trained on: readers, stages, deduplication."""
