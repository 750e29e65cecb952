"""The libraries that decode and encode. Importing a module of this package imports native code: decoders only."""
