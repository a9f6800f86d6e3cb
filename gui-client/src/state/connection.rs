//! The connection as a person sees it: a form, the steps of an attempt, online, or a problem and the way out of it.
//!
//! The texts of every problem are composed here. What the server says in a refusal or a goodbye is a sentence of its own
//! and is shown as such, never inside one of ours.

use std::time::Instant;

use common::{
    address::{AddressError, ServerAddress},
    message::RefusalCode,
    name::{Name, NameError},
};

use crate::event::{FileRepair, NetCommand, OTHER_WINDOW_REMEDY, Offline, Progress, TlsFacts, other_window};

use super::{action::Action, reconnect};

pub use super::connection_problem::{CertificateChoice, ConnectionProblem, FormField};

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Not connected, and no attempt follows by itself. There may be a [`Connection::problem`].
    Idle,
    /// An attempt is under way.
    Attempting(Progress),
    /// Connected and entered in the dictionary.
    Online,
    /// Not connected; the next attempt follows by itself.
    Waiting {
        /// The time of the next attempt.
        retry_at: Instant,
    },
}

/// The connection and the form that starts it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// An address of the forms that [`ServerAddress::parse`] reads, as typed.
    pub address: String,
    /// SHA-256 of the certificate that the server at this address has announced, if it was found on the network.
    pub announced: Option<[u8; 32]>,
    /// The wanted name, as typed.
    pub name: String,
    /// The state of the connection.
    pub phase: Phase,
    /// Why it is not online, if something went wrong.
    pub problem: Option<ConnectionProblem>,
    /// Why the last automatic attempt failed, as a sentence, if that is another reason.
    pub last_failure: Option<String>,
    /// Whether the reasons are unfolded while the connection is lost.
    pub shows_reasons: bool,
    /// What secures the connection that is open or under way; while it is lost, the last one. `None` without TLS and before
    /// the server is reached.
    pub tls: Option<TlsFacts>,
    /// Whether the window asks to compare the certificate, because it was never seen before.
    pub is_first_visit: bool,
    /// Whether connections to the server are not encrypted, as chosen when the program was started. The window says so all
    /// the time.
    pub is_plaintext: bool,
    /// Whether this connection was online and should be again.
    pub is_wanted: bool,
    /// Whether [`Self::problem`] says why the connection was lost that is being tried again.
    is_loss_told: bool,
    /// Automatic attempts since the connection was lost.
    attempts: u32,
}

impl Connection {
    /// The form at the start, filled in.
    pub fn new(address: String, name: String, is_plaintext: bool) -> Self {
        Self {
            address,
            announced: None,
            name,
            is_plaintext,
            phase: Phase::Idle,
            problem: None,
            last_failure: None,
            shows_reasons: false,
            tls: None,
            is_first_visit: false,
            is_wanted: false,
            is_loss_told: false,
            attempts: 0,
        }
    }

    /// Whether the connection is lost and comes back by itself: an attempt is under way or follows.
    pub fn is_coming_back(&self) -> bool {
        self.is_wanted && matches!(self.phase, Phase::Attempting(_) | Phase::Waiting { .. })
    }

    /// Whether messages and videos can be exchanged with the server.
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Why the form as typed cannot be submitted, as a sentence.
    pub fn form_hint(&self) -> Option<String> {
        self.address_hint().or_else(|| self.name_hint())
    }

    /// Why the address as typed is none, in one or two sentences.
    pub fn address_hint(&self) -> Option<String> {
        match ServerAddress::parse(&self.address) {
            Ok(_) => None,
            Err(AddressError::Empty) => Some(AddressError::Empty.remedy()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Why the name as typed is none, in a sentence.
    pub fn name_hint(&self) -> Option<String> {
        match Name::parse(self.name.trim()) {
            Ok(_) => None,
            Err(NameError::Empty) => Some("Enter the name that others will see.".into()),
            Err(error) => Some(sentence(&error.to_string())),
        }
    }

    pub(super) fn edit_address(&mut self, address: String) {
        self.address = address;
        self.announced = None;
        self.problem = None;
    }

    /// The command of an attempt with what the form holds.
    pub(super) fn command(&self) -> NetCommand {
        let (address, name) = (self.address.trim().to_owned(), self.name.trim().to_owned());
        match self.announced {
            Some(certificate_hash) => NetCommand::ConnectFound { address, name, certificate_hash },
            None => NetCommand::Connect { address, name },
        }
    }

    pub(super) fn edit_name(&mut self, name: String) {
        self.name = name;
        // An alarm is about the server, whatever the name.
        self.problem = self.problem.take().filter(|problem| problem.is_alarming);
    }

    pub(super) fn begin_attempt(&mut self) {
        self.phase = Phase::Attempting(Progress::Connecting);
        if !self.is_wanted {
            // A lost connection keeps its message until it is back, so that the layout does not jump with each attempt.
            self.problem = None;
            self.tls = None;
        }
    }

    /// Starts the delays between attempts anew, because the person asked for an attempt.
    pub(super) fn reset_attempts(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn leave(&mut self) {
        self.is_wanted = false;
        self.phase = Phase::Idle;
        self.problem = None;
        self.last_failure = None;
        self.tls = None;
        self.is_first_visit = false;
    }

    /// Takes in what the person says about the new certificate.
    pub(super) fn confirm_certificate(&mut self, is_confirmed: bool) {
        if let Some(choice) = self.problem.as_mut().and_then(|problem| problem.certificate.as_mut()) {
            choice.is_confirmed = is_confirmed;
        }
    }

    /// Begins an attempt that trusts the new certificate, if the person has confirmed it.
    pub(super) fn trust_certificate(&mut self) -> Option<NetCommand> {
        let choice = self.problem.as_ref()?.certificate.as_ref().filter(|choice| choice.is_confirmed)?;
        let change = choice.change.clone();
        self.problem = None;
        self.begin_attempt();
        let (address, name) = (self.address.trim().to_owned(), self.name.trim().to_owned());
        Some(NetCommand::ConnectTrusting { address, name, change: Box::new(change) })
    }

    /// Begins an attempt that repairs a file first.
    pub(super) fn connect_repairing(&mut self, repair: FileRepair) -> NetCommand {
        self.begin_attempt();
        let (address, name) = (self.address.trim().to_owned(), self.name.trim().to_owned());
        NetCommand::ConnectRepairing { address, name, repair }
    }

    /// Goes back to the form, and forgets the certificate of the server.
    pub(super) fn forget_server(&mut self) -> Vec<NetCommand> {
        let problem = self.problem.take_if(|problem| problem.certificate.is_some());
        let Some(choice) = problem.and_then(|problem| problem.certificate) else { return Vec::new() };
        // An attempt may be under way, to see whether the right server is back.
        let disconnect = self.is_coming_back().then_some(NetCommand::Disconnect);
        self.leave();
        let forget = NetCommand::ForgetServer { address: choice.change.address };
        disconnect.into_iter().chain([forget]).collect()
    }

    pub(super) fn came_online(&mut self, tls: Option<TlsFacts>, is_first_visit: bool) {
        self.phase = Phase::Online;
        // The notice stays over a reconnection, until it has been read.
        self.is_first_visit |= is_first_visit;
        (self.problem, self.last_failure, self.shows_reasons) = (None, None, false);
        self.tls = tls;
        self.is_wanted = true;
        self.attempts = 0;
    }

    /// Takes in why there is no connection, and decides whether another attempt follows by itself.
    pub(super) fn went_offline(&mut self, offline: Offline, now: Instant) {
        let delay = reconnect::delay(&offline, self.attempts).filter(|_| self.is_wanted);
        let next = problem(offline, delay.is_some(), self.is_wanted);
        let shown = self.problem.take().filter(|_| self.is_loss_told);
        (self.problem, self.last_failure) = reconnect::merge(shown, next, delay.is_some());
        self.is_loss_told = delay.is_some();
        self.phase = match delay {
            Some(delay) => {
                self.attempts += 1;
                Phase::Waiting { retry_at: now + delay }
            }
            None => Phase::Idle,
        };
        if self.problem.is_none() {
            self.is_wanted = false;
        }
    }
}

fn problem(offline: Offline, is_retried: bool, was_online: bool) -> Option<ConnectionProblem> {
    let warning = |what: String, remedy: String, label: &str| ConnectionProblem {
        what,
        remedy,
        button: Some(if is_retried {
            ("Try now".to_owned(), Action::ReconnectNow)
        } else {
            (label.to_owned(), Action::Connect)
        }),
        is_alarming: false,
        certificate: None,
        details: None,
        field: None,
    };
    let about_address = |problem| ConnectionProblem { field: Some(FormField::Address), ..problem };
    Some(match offline {
        Offline::Left => return None,
        Offline::Unreachable { what, remedy } | Offline::BrokeProtocol { what, remedy } => {
            about_address(warning(what, remedy, "Try again"))
        }
        Offline::NotTriptych { address, details } => {
            let what = format!("{address} is not a Triptych server.");
            let remedy = "Something else answers there. Check the address and the port.".to_owned();
            ConnectionProblem { details: Some(details), ..about_address(warning(what, remedy, "Try again")) }
        }
        Offline::Goodbye(reason) => warning(
            "The server ended the connection.".into(),
            format!("{} Your conversations are kept.", sentence(&reason)),
            "Join again",
        ),
        Offline::Refused { code, message, suggestion } => refusal(code, &message, suggestion, is_retried, was_online),
        Offline::CertificateChanged(change) => ConnectionProblem {
            what: "The identity of this server has changed.".into(),
            remedy:
                "Either the server was reinstalled, or someone is impersonating it. Nothing was sent to it. Ask the \
                     person who runs it to read out the words that its console shows, and compare."
                    .into(),
            button: None,
            is_alarming: true,
            certificate: Some(CertificateChoice { change, is_confirmed: false }),
            details: None,
            field: None,
        },
        Offline::OtherWindow(name) => ConnectionProblem {
            button: name.numbered().next().map(join_as),
            field: Some(FormField::Name),
            ..warning(other_window(&name), OTHER_WINDOW_REMEDY.to_owned(), "Try again")
        },
        Offline::Identity { what, remedy, repair: None } => warning(what, remedy, "Try again"),
        Offline::Identity { what, remedy, repair: Some(repair) } => ConnectionProblem {
            what,
            remedy,
            button: Some((repair.label().to_owned(), Action::Repair(repair))),
            is_alarming: false,
            certificate: None,
            details: None,
            field: None,
        },
    })
}

fn refusal(
    code: RefusalCode,
    message: &str,
    suggestion: Option<Name>,
    is_retried: bool,
    was_online: bool,
) -> ConnectionProblem {
    let connect = |label: &str| Some((label.to_owned(), Action::Connect));
    let join_as = suggestion.map(join_as);
    let message = sentence(message);
    let (what, remedy, button) = match code {
        RefusalCode::KeyInUse if is_retried => (
            "The server has not yet closed your previous connection.".to_owned(),
            "It does so within ten seconds, and the next attempt follows by itself.".to_owned(),
            Some(("Try now".to_owned(), Action::ReconnectNow)),
        ),
        // The server tells the two apart: this is never a connection of our own.
        RefusalCode::NameInUse if was_online => {
            ("Someone else has taken your name, with another key.".to_owned(), message, join_as)
        }
        RefusalCode::NameInUse => ("This name is taken.".to_owned(), message, join_as),
        RefusalCode::KeyInUse => {
            ("You are already online.".to_owned(), message, join_as.or_else(|| connect("Try again")))
        }
        RefusalCode::VersionMismatch => {
            ("The server and this client do not match.".to_owned(), message, connect("Try again"))
        }
        RefusalCode::BadName => ("The server does not accept this name.".to_owned(), message, None),
        RefusalCode::Full => ("The server is full.".to_owned(), message, connect("Try again")),
        _ => ("The server refused the connection.".to_owned(), message, connect("Try again")),
    };
    let is_about_name = matches!(code, RefusalCode::NameInUse | RefusalCode::KeyInUse | RefusalCode::BadName);
    let field = is_about_name.then_some(FormField::Name);
    ConnectionProblem { what, remedy, button, is_alarming: false, certificate: None, details: None, field }
}

/// The button that joins under another name.
fn join_as(name: Name) -> (String, Action) {
    (format!("Join as {name}"), Action::ConnectAs(name))
}

/// Makes a sentence of a server's text: a capital letter at the start and a full stop at the end. The texts of this
/// release are sentences already; those of older servers are clauses.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.trim_end().chars();
    let mut sentence: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
