//! Portway's `proxy` room.
