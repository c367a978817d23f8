//! What the gateway says of each call: log line, metrics, trace context.
