//! The frame around chat and video: the form that connects, and the status bar.

pub(super) mod connect;
mod identity;
pub(super) mod notices;
pub(super) mod status;
