//! Portway's `policy` room.
