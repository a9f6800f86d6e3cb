//! The frame around chat and video: the form that connects, the bar at the top with its menu, notices below it, and the panes.

pub(super) mod about;
pub(super) mod back;
pub(super) mod bar;
mod certificate;
pub(super) mod columns;
pub(super) mod connect;
mod fields;
mod identity;
mod menu;
pub(super) mod notices;
mod notification_choice;
mod servers;
pub(super) mod status;
