"""Glue between aiohttp and the doors that knows no protocol of ours."""
