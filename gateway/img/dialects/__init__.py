"""URLs of imgproxy, thumbor and imagor, read as ours, so that a site switches by changing the host.

reading.py       what a foreign URL says: source, our options, signature
arguments.py     numbers, colours and base64 as those programs write them
web_colours.py   the colour names of CSS
sources.py       `s3://`, `local://` and mapped `http://` sources, as bucket and key
imgproxy/        a path of imgproxy, the table of its options, and what they come to in ours
thumbor/         the same of thumbor and imagor, with the table of their filters
signature.py     whose rights a signature gives
doors.py         which dialect a host or a prefix speaks
explain.py       how a URL was read, for `pixgate explain` and `/img/-/explain`
page.py          docs/reference/url-dialects.md
"""
