//! The servers whose certificates the person has compared with their consoles, remembered over restarts.

use crate::event::NetCommand;

use super::State;

/// Marks that are kept; the oldest falls away.
const MAX_MARKS: usize = 64;

impl State {
    /// Whether the certificate of the server was compared with its console.
    pub fn is_server_verified(&self) -> bool {
        let tls = self.connection.tls.as_ref();
        tls.is_some_and(|tls| self.settings.verified_certificates.contains(&mark(&tls.certificate_hash)))
    }

    /// Notes that the certificate of the server was compared and is the same (`true`), or takes that back.
    pub(super) fn mark_server(&mut self, is_verified: bool) {
        self.connection.is_first_visit = false;
        if let Some(hash) = self.connection.tls.as_ref().map(|tls| tls.certificate_hash) {
            self.mark_certificate(&hash, is_verified);
        }
    }

    /// Takes the new certificate that was compared for that of the server.
    pub(super) fn trust_certificate(&mut self) -> Option<NetCommand> {
        let choice = self.connection.problem.as_ref().and_then(|problem| problem.certificate.clone());
        let command = self.connection.trust_certificate()?;
        if let Some(choice) = choice {
            self.mark_certificate(&choice.change.found, true);
        }
        Some(command)
    }

    fn mark_certificate(&mut self, hash: &[u8; 32], is_verified: bool) {
        let marks = &mut self.settings.verified_certificates;
        let mark = mark(hash);
        marks.retain(|other| *other != mark);
        if is_verified {
            marks.push(mark);
        }
        marks.drain(..marks.len().saturating_sub(MAX_MARKS));
    }
}

/// The hash of a certificate in hexadecimal.
fn mark(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
