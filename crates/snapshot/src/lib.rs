//! Portway's `snapshot` room.
