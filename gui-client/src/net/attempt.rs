//! One attempt to connect: the steps from what the person typed to an established session, with the files that they need.

use std::{io, path::Path, sync::Arc, time::Instant};

use common::{crypto::Identity, limits::LOGIN_DEADLINE, name::Name};
use tokio::sync::mpsc;

use super::{
    NetSettings,
    handshake::{self, Session},
    identity,
    known_servers::KnownServers,
    own_numbers::OwnNumbers,
    pin_file::PinFile,
    private_files, repair,
};
use crate::event::{CertificateChange, FileRepair, NetCommand, NetEvent, Offline, Progress};

/// Events of one attempt that are told before it ends: at most five are.
pub(super) const MAX_STEPS: usize = 8;

/// A successful attempt.
pub(super) struct Arrival {
    /// No other client works with this key meanwhile.
    pub(super) claim: identity::Claim,
    pub(super) session: Session,
    pub(super) pin_file: PinFile,
}

/// Where to connect to, as the window said.
#[derive(Default)]
pub(super) struct Target {
    pub(super) address: String,
    name: String,
    /// A change of the server's certificate that the person has accepted.
    trusted: Option<CertificateChange>,
    /// What the person has decided about a file that cannot be used.
    repair: Option<FileRepair>,
    /// The certificate that the server has announced, if it was found on the network.
    announced: Option<[u8; 32]>,
}

impl Target {
    /// The target of a command; any other command is given back.
    pub(super) fn of(command: NetCommand) -> Result<Self, NetCommand> {
        match command {
            NetCommand::Connect { address, name } => Ok(Self { address, name, ..Self::default() }),
            NetCommand::ConnectFound { address, name, certificate_hash } => {
                Ok(Self { address, name, announced: Some(certificate_hash), ..Self::default() })
            }
            NetCommand::ConnectTrusting { address, name, change } => {
                Ok(Self { address, name, trusted: Some(*change), ..Self::default() })
            }
            NetCommand::ConnectRepairing { address, name, repair } => {
                Ok(Self { address, name, repair: Some(repair), ..Self::default() })
            }
            other => Err(other),
        }
    }
}

/// Attempts to connect; `progress` takes the steps on the way.
pub(super) async fn attempt(
    settings: &NetSettings,
    target: Target,
    progress: mpsc::Sender<NetEvent>,
) -> Result<Arrival, Offline> {
    let Target { address, name, trusted, repair, announced } = target;
    let tell = |event| progress.try_send(event).expect("all steps fit, and the receiver lives as long as the attempt");
    let step = |step| tell(NetEvent::Progress(step));
    let name = Name::parse(name.trim()).map_err(|error| Offline::Refused {
        code: common::message::RefusalCode::BadName,
        message: error.to_string(),
        suggestion: None,
    })?;
    close_data_folder(&settings.data_dir).await?;
    let claim = claim_identity(&settings.data_dir, &name).await?;
    if let Some(repair) = repair {
        let done = tokio::task::spawn_blocking(move || repair::carry_out(&repair)).await;
        done.expect("files are renamed without panics")?;
    }
    // The server first: otherwise a wrong address would show only after the seconds that a new key takes.
    step(Progress::Connecting);
    let known_servers = KnownServers::new(&settings.data_dir);
    if let Some(change) = trusted {
        // The people are the same as before: a server that has replaced its certificate may not bring other keys unseen.
        let file = |hash: &[u8; 32]| PinFile::new(&settings.data_dir, Some(hash), &change.address);
        let (old, new) = (file(&change.expected), file(&change.found));
        with_pins(&new, move |new| new.inherit(&old)).await?;
        handshake::trust(&known_servers, change).await?;
    }
    let connect = async || {
        let transport = handshake::connect(&address, settings.is_plaintext, announced, &known_servers).await?;
        transport.greet().await
    };
    let mut connection = connect().await?;
    tell(NetEvent::Reached(connection.tls.clone()));
    let identity = match load_identity(&settings.data_dir, &name).await? {
        Some(identity) => identity,
        None => {
            step(Progress::MakingKeys);
            let begun = Instant::now();
            let made = make_identity(&settings.data_dir, &name).await?;
            if begun.elapsed() > LOGIN_DEADLINE / 2 {
                // By now the server has closed the connection, or is about to: it waits only so long after the challenge.
                step(Progress::Connecting);
                connection = connect().await?;
            }
            made
        }
    };
    let pin_file = connection.pin_file(&settings.data_dir);
    let pins = with_pins(&pin_file, PinFile::read).await?;
    step(Progress::Joining);
    let numbers = OwnNumbers::open(&settings.data_dir, &name);
    let session = connection.join(&name, Arc::new(identity), numbers, &known_servers, pins).await?;
    Ok(Arrival { claim, session, pin_file })
}

/// Runs `work` on a thread that may wait for files and locks.
async fn with_pins<T: Send + 'static>(
    file: &PinFile,
    work: impl FnOnce(&PinFile) -> io::Result<T> + Send + 'static,
) -> Result<T, Offline> {
    let moved = file.clone();
    let done = tokio::task::spawn_blocking(move || work(&moved)).await.expect("the file is handled without panics");
    done.map_err(|error| Offline::Identity {
        what: format!("The file of people whom you know, {}, cannot be used: {error}.", file.path().display()),
        remedy: if error.kind() == io::ErrorKind::InvalidData {
            "Restore it from a backup, or start anew: then everyone on this server counts as new, so compare the safety \
             numbers again."
                .to_owned()
        } else {
            "Make it readable and writable for you, or choose another folder with --data-dir.".to_owned()
        },
        repair: (error.kind() == io::ErrorKind::InvalidData).then(|| FileRepair::NewPeople(file.path().to_owned())),
    })
}

/// Makes the data folder, or makes sure that no one else can change it.
async fn close_data_folder(data_dir: &Path) -> Result<(), Offline> {
    let folder = data_dir.to_owned();
    let done = tokio::task::spawn_blocking(move || private_files::create_folder(&folder)).await;
    done.expect("the folder is made without panics").map_err(|error| Offline::Identity {
        what: format!("The data folder {} cannot be made private: {error}.", data_dir.display()),
        remedy: "Make it writable for you and no one else, or choose another folder with --data-dir.".to_owned(),
        repair: None,
    })
}

async fn claim_identity(data_dir: &Path, name: &Name) -> Result<identity::Claim, Offline> {
    let (data_dir, name) = (data_dir.to_owned(), name.clone());
    on_helper_thread(move || identity::claim(&data_dir, &name)).await
}

async fn load_identity(data_dir: &Path, name: &Name) -> Result<Option<Identity>, Offline> {
    let (data_dir, name) = (data_dir.to_owned(), name.clone());
    on_helper_thread(move || identity::load(&data_dir, &name)).await
}

async fn make_identity(data_dir: &Path, name: &Name) -> Result<Identity, Offline> {
    let (data_dir, name) = (data_dir.to_owned(), name.clone());
    on_helper_thread(move || identity::load_or_make(&data_dir, &name)).await
}

async fn on_helper_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, identity::IdentityFileError> + Send + 'static,
) -> Result<T, Offline> {
    let done = tokio::task::spawn_blocking(work).await.expect("key files are handled without panics");
    done.map_err(|error| match error {
        identity::IdentityFileError::InUse(name) => Offline::OtherWindow(name),
        error => Offline::Identity { what: error.to_string(), remedy: error.remedy(), repair: error.repair() },
    })
}
