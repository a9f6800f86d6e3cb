//! The state, driven by events and actions without a window or a network.
