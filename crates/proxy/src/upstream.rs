//! Backends at run time: which target, is it well, may it take one more call.
