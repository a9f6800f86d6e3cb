//! The card for the key of a name: export it, import one, or begin anew.

use std::fmt;

use common::name::Name;

use crate::event::{IdentityFailure, IdentityRequest, NetCommand, Passphrase};

use super::{State, effect::Effect};

/// Fewest characters of a passphrase for export. Anyone who finds the file can try any number of them.
pub const MIN_PASSPHRASE_CHARS: usize = 10;

/// What the card is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdentityTask {
    /// Write the key to a file, encrypted.
    #[default]
    Export,
    /// Take the key in such a file.
    Import,
    /// Set the key aside, and have a new one made.
    Renew,
}

/// What the person does on the card.
#[derive(Clone, PartialEq, Eq)]
pub enum IdentityAction {
    /// Show the card.
    Open,
    /// Go back to the form.
    Close,
    /// Choose what the card is about.
    Choose(IdentityTask),
    /// The field of the file holds this text now.
    EditFile(String),
    /// The field of the passphrase holds this text now.
    EditPassphrase(Passphrase),
    /// The second field of the passphrase holds this text now.
    EditRepeated(Passphrase),
    /// Do it; what cannot be undone needs [`IdentityAction::Confirm`] after that.
    Run,
    /// Do it indeed.
    Confirm,
}

/// The card, while it is shown.
#[derive(Clone, Default)]
pub struct IdentityCard {
    /// What it is about.
    pub task: IdentityTask,
    /// Path of the file, as typed.
    pub file: String,
    /// The passphrase, as typed.
    pub passphrase: Passphrase,
    /// The same for export, where a slip would lock the file.
    pub repeated: Passphrase,
    /// Whether the person is asked once more.
    pub is_confirming: bool,
    /// Whether the request is being carried out.
    pub is_busy: bool,
    /// What came of the last request.
    pub outcome: Option<Result<String, IdentityFailure>>,
}

// Neither prints the passphrase.
impl fmt::Debug for IdentityAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Close => "Close",
            Self::Choose(_) => "Choose",
            Self::EditFile(_) => "EditFile",
            Self::EditPassphrase(_) => "EditPassphrase",
            Self::EditRepeated(_) => "EditRepeated",
            Self::Run => "Run",
            Self::Confirm => "Confirm",
        })
    }
}

impl fmt::Debug for IdentityCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the card to {:?} a key", self.task)
    }
}

impl IdentityCard {
    /// What is missing before it can be done, as a sentence.
    pub fn hint(&self) -> Option<String> {
        let is_short = self.passphrase.text().chars().count() < MIN_PASSPHRASE_CHARS;
        match self.task {
            IdentityTask::Renew => None,
            _ if self.file.trim().is_empty() => Some("Enter the path of the file.".to_owned()),
            IdentityTask::Import => {
                self.passphrase.text().is_empty().then(|| "Enter the passphrase of the file.".to_owned())
            }
            IdentityTask::Export if is_short => Some(format!(
                "Choose a passphrase of at least {MIN_PASSPHRASE_CHARS} characters: several words are good."
            )),
            IdentityTask::Export => {
                (self.passphrase != self.repeated).then(|| "The two passphrases are not the same yet.".to_owned())
            }
        }
    }

    fn request(&self) -> IdentityRequest {
        let (file, passphrase) = (self.file.trim().to_owned(), self.passphrase.clone());
        match self.task {
            IdentityTask::Export => IdentityRequest::Export { file, passphrase },
            IdentityTask::Import => IdentityRequest::Import { file, passphrase },
            IdentityTask::Renew => IdentityRequest::Renew,
        }
    }
}

impl State {
    pub(super) fn handle_identity(&mut self, action: IdentityAction) -> Vec<Effect> {
        if action == IdentityAction::Open {
            // The key is that of the name in the form, so there has to be one.
            self.identity = Name::parse(self.connection.name.trim()).ok().map(|_| IdentityCard::default());
            return Vec::new();
        }
        let Some(card) = &mut self.identity else { return Vec::new() };
        if card.is_busy {
            return Vec::new();
        }
        match action {
            IdentityAction::Open => {}
            IdentityAction::Close => self.identity = None,
            IdentityAction::Choose(task) => {
                *card = IdentityCard { task, file: std::mem::take(&mut card.file), ..IdentityCard::default() };
            }
            IdentityAction::EditFile(file) => card.file = file,
            IdentityAction::EditPassphrase(passphrase) => card.passphrase = passphrase,
            IdentityAction::EditRepeated(passphrase) => card.repeated = passphrase,
            IdentityAction::Run if card.task == IdentityTask::Renew && !card.is_confirming => {
                card.outcome = None;
                card.is_confirming = true;
            }
            IdentityAction::Confirm if !card.is_confirming => {}
            IdentityAction::Run if card.is_confirming => card.is_confirming = false,
            IdentityAction::Run | IdentityAction::Confirm => {
                if card.hint().is_some() {
                    return Vec::new();
                }
                card.outcome = None;
                card.is_confirming = false;
                card.is_busy = true;
                let name = self.connection.name.trim().to_owned();
                return vec![Effect::Net(NetCommand::Identity { name, request: card.request() })];
            }
        }
        Vec::new()
    }

    /// Takes in what came of a request. The passphrase is no longer needed.
    pub(super) fn identity_done(&mut self, outcome: Result<String, IdentityFailure>) {
        if let Some(card) = &mut self.identity {
            card.is_busy = false;
            if outcome.is_ok() {
                card.passphrase = Passphrase::default();
                card.repeated = Passphrase::default();
            }
            card.outcome = Some(outcome);
        }
    }
}
