"""The transform door: `/img/<image id>` and `/img/<bucket>/<key>`, resized and re-encoded on the way out.

target.py      a URL, taken apart without looking anything up
access.py      who may have this image, and how long others may keep the answer
answer.py      ETag, 304, memory, render, headers; the S3 door uses it for `x-img` too
errors.py      everything that goes wrong, as status and JSON
fallback.py    another picture where there is none
endpoint.py    one request through all of these
"""
