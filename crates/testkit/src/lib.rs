//! Portway's `testkit` room.
