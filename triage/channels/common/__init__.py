"""What do all channels share? Values, configuration, verification, calls over HTTP, and the way of a result."""
