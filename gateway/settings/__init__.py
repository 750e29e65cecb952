"""Groups of settings by what they are about, which `gateway.config` puts together, and the kinds of values they take."""
