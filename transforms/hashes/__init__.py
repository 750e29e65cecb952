"""Short texts that stand for a picture: what to show before it comes (BlurHash, ThumbHash), and what looks alike (pHash).

Pure arithmetic on a few thousand pixels, given row by row as bytes.
"""
