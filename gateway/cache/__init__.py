"""Renditions beyond this node's memory: tiers that all nodes share, and locks by which they render each thing once."""
