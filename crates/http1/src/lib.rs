//! Portway's `http1` room.
