//! Transparency logs for those who keep keys.
