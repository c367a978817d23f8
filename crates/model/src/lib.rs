//! Portway's `model` room.
