//! Portway's `contract` room.
