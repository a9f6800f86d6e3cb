//! A dishonest server that passes the join of a client on to another server, to be online there under that name. Real
//! clients and a real server on both sides; the one in the middle is the test. Each test says what it gets.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use common::{
    codec::{decode_client, decode_server, encode_client},
    crypto::test_keys,
    message::{Blob, ClientMessage, RefusalCode, ServerMessage},
};
use rustls::pki_types::ServerName;
use tokio::{io::copy_bidirectional, runtime::Runtime};
use tokio_rustls::TlsConnector;
use triptych_client::{
    event::Offline,
    net::cert_verifier::client_config,
    state::{action::Peer, trust::Privacy},
};
use triptych_server::tls::Tls;

use crate::support::{
    adversary::{Adversary, Got},
    client::Client,
    host::Host,
    person::{Person, is_opened, sees},
    wake::{DEADLINE, WakeSignal},
};

/// Ends TLS with the certificate in `folder`, begins it anew with the server at `target`, and passes on what both say.
/// Returns the address, and what has to be kept meanwhile.
fn relay_tls(folder: &Path, target: &str) -> (String, Runtime) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tls, target) = (Tls::load_or_create(folder).unwrap(), target.to_owned());
    runtime.spawn(async move {
        // It takes any certificate, as a client does before it compares.
        let connector = TlsConnector::from(Arc::new(client_config()));
        while let Ok((near, _)) = listener.accept().await {
            let mut near = tls.accept(near).await.unwrap();
            let far = tokio::net::TcpStream::connect(&target).await.unwrap();
            let mut far = connector.connect(ServerName::try_from("triptych").unwrap(), far).await.unwrap();
            // Ends when one of both does.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    });
    (address, runtime)
}

#[test]
fn a_join_that_is_passed_on_to_another_server_with_tls_is_refused_there() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let ada = Client::new("ada", &test_keys::ada());
    ada.connect(&host.address, "ada");
    ada.online();
    // With a certificate of its own; and with the certificate and the key of that server, which it has stolen: then only the
    // two TLS connections differ.
    let (own, stolen) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for file in fs::read_dir(certificates.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), stolen.path().join(file.file_name())).unwrap();
    }
    for folder in [own, stolen] {
        let (address, _runtime) = relay_tls(folder.path(), &host.address);
        let bob = Client::new("bob", &test_keys::bob());
        bob.connect(&address, "bob");
        let Offline::Refused { code, .. } = bob.offline() else { panic!("let in: {:?}", bob.passed.borrow()) };
        assert_eq!(code, RefusalCode::BadProof);
    }
    let eve = Client::new("eve", &test_keys::eve());
    eve.connect(&host.address, "eve");
    let online = eve.online();
    let names: Vec<_> = online.people.people().map(|person| person.name.as_str()).collect();
    assert_eq!(names, ["ada", "eve"], "no one was online as bob");
}

/// The one in the middle of a connection without TLS.
struct Relay {
    address: String,
    /// The way to the server, once a client is there.
    to_server: Arc<Mutex<Option<TcpStream>>>,
    /// What the server has sent.
    seen: Arc<Mutex<Vec<ServerMessage>>>,
    /// Announces each of it.
    wake: WakeSignal,
}

impl Relay {
    fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let relay = Self { address, to_server: Arc::default(), seen: Arc::default(), wake: WakeSignal::default() };
        let (target, to_server, seen) = (target.to_owned(), Arc::clone(&relay.to_server), Arc::clone(&relay.seen));
        let announce = relay.wake.callback();
        start_thread("relay to client", move || {
            let (near, _) = listener.accept().unwrap();
            let far = TcpStream::connect(target).unwrap();
            *to_server.lock().unwrap() = Some(far.try_clone().unwrap());
            let (mut from_client, mut to_client) = (near.try_clone().unwrap(), near);
            start_thread("relay to server", {
                let to_server = Arc::clone(&to_server);
                move || {
                    // All but the farewell, and the answers to pings, which are given below.
                    while let Some(frame) = read_frame(&mut from_client) {
                        if !matches!(decode_client(&frame), Ok(ClientMessage::Quit | ClientMessage::Pong { .. })) {
                            write_frame(&to_server, &frame);
                        }
                    }
                }
            });
            let mut from_server = far;
            while let Some(frame) = read_frame(&mut from_server) {
                let message = decode_server(&frame).unwrap();
                if let ServerMessage::Ping { number } = message {
                    write_frame(&to_server, &encode_client(&ClientMessage::Pong { number })[4..]);
                }
                seen.lock().unwrap().push(message);
                announce();
                // The client may have left.
                let _ = to_client.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes());
                let _ = to_client.write_all(&frame);
            }
        });
        relay
    }

    /// Sends something to the server as if the client had.
    fn inject(&self, message: &ClientMessage) {
        write_frame(&self.to_server, &encode_client(message)[4..]);
    }

    /// The envelopes that the server has sent, once there are this many.
    fn envelopes(&self, count: usize) -> Vec<Vec<u8>> {
        let envelope = |message: &ServerMessage| match message {
            ServerMessage::Relayed { envelope } | ServerMessage::Handed { envelope } => Some(envelope.0.clone()),
            _ => None,
        };
        let all = || self.seen.lock().unwrap().iter().filter_map(envelope).collect::<Vec<_>>();
        self.wake.wait_for("envelopes", || Some(all()).filter(|all| all.len() == count))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(stream) = self.to_server.lock().unwrap().take() {
            // The threads end with it. It may be closed already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

/// `None` at the end of the connection.
fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn write_frame(stream: &Mutex<Option<TcpStream>>, frame: &[u8]) {
    if let Some(stream) = &mut *stream.lock().unwrap() {
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        // The server may have closed the connection.
        let _ = stream.write_all(&[&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat());
    }
}

#[test]
fn a_join_that_is_passed_on_to_another_server_without_tls_gives_a_name_in_its_list_and_no_voice() {
    let host = Host::start(None, "127.0.0.1:0");
    let mut ada = Person::plaintext("ada", &test_keys::ada());
    ada.join(&host.address, |_| true);
    let relay = Relay::start(&host.address);
    let mut bob = Person::plaintext("bob", &test_keys::bob());
    bob.join(&relay.address, |state| sees(state, "ada"));

    // What it gets: Bob is listed at the server that he has not chosen, also after he has left the one in the middle.
    ada.wait_until("bob", |ada| ada.sees("bob"));
    bob.leave();
    let bob_key = test_keys::bob().public_key().id();
    ada.write(Peer::Person(bob_key), "The password is rosebud");
    ada.write(Peer::Everyone, "Hello");
    ada.wait_for_envelopes(2);
    assert!(ada.sees("bob"));
    assert_eq!(ada.state.trust.privacy(&bob_key, 0), Privacy::New);

    // What it does not get: anything that is written to Bob, or to everyone.
    let mut eve = Adversary::new("eve", test_keys::eve());
    for envelope in &relay.envelopes(["a letter", "a sender key", "a message to everyone"].len()) {
        assert_eq!(eve.open(envelope, test_keys::ada().public_key()), Got::Nothing);
    }
    // Nor a voice as Bob.
    let dictionary = ada.state.people.dictionary().expect("she is online").clone();
    let ada_entry = dictionary.person(&test_keys::ada().public_key().id()).expect("she is listed");
    let mut forged = eve.text(ada_entry, u64::MAX, "It is me, Bob");
    forged[26..58].copy_from_slice(&bob_key.0);
    relay.inject(&ClientMessage::Say { envelope: Blob(forged) });
    ada.wait_for_envelopes(3);
    assert!(!is_opened(ada.outcomes[2].1), "{:?}", ada.outcomes);
    assert_eq!(ada.authors(Peer::Person(bob_key)), ["me"]);
    // Nor can it keep the name alive with a session key of its own, to read what comes later.
    let session = Blob(eve.entry().session.as_bytes().to_vec());
    relay.inject(&ClientMessage::Renew { session });
    ada.wait_until("the end of it", |ada| !ada.sees("bob"));
}
