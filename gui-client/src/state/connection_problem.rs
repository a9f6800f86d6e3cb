//! What went wrong with the connection, as the window says it.

use crate::event::CertificateChange;

use super::action::Action;

/// What went wrong with the connection, and the way out. The texts are sentences for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionProblem {
    /// What happened.
    pub what: String,
    /// What it means and what to do.
    pub remedy: String,
    /// Label and action of the one button.
    pub button: Option<(String, Action)>,
    /// Whether the identity of the server is in doubt: shown as an alarm instead of as a warning.
    pub is_alarming: bool,
    /// The two certificates between which the person has to decide.
    pub certificate: Option<CertificateChoice>,
    /// What else is known, for the curious.
    pub details: Option<String>,
    /// What of the form is to be corrected, if anything.
    pub field: Option<FormField>,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormField {
    /// The address of the server.
    Address,
    /// The name.
    Name,
}

/// A change of the server's certificate, and what the person has said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChoice {
    /// The old and the new one.
    pub change: CertificateChange,
    /// Whether the person says that the server's console shows the new one. Only then it can be trusted.
    pub is_confirmed: bool,
}
