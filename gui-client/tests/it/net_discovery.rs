//! Servers that are found and that pretend, on real sockets of this computer.

use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    sync::Arc,
    thread,
};

use common::{
    address::ServerAddress,
    crypto::test_keys,
    discovery::{Announcement, Answer, InstanceId, PROBE_BYTES, Probe, ServerName},
    limits::PROTOCOL_VERSION,
};
use triptych_client::{
    event::{
        NetCommand, Offline,
        discovery::{Discovered, Familiarity},
    },
    net::{
        discovery::{Search, SearchSettings},
        identity::identity_path,
    },
};

use crate::support::{
    client::Client,
    host::Host,
    scenes::name,
    wake::{DEADLINE, WakeSignal},
};

/// A search on this computer only, and what announces its news.
fn search(client: &Client, server: &str) -> (Search, WakeSignal) {
    let wake = WakeSignal::default();
    let callback = wake.callback();
    let last_server = Some(ServerAddress::parse(server).unwrap());
    // No server is on port 1, so that only the last one is asked.
    let settings =
        SearchSettings { data_dir: client.data_dir.path().to_owned(), last_server, port: 1, asks_networks: false };
    (Search::start(settings, Arc::new(move |_| callback())).unwrap(), wake)
}

/// The first list with a server in it.
fn found(search: &(Search, WakeSignal)) -> Discovered {
    search.1.wait_for("a server", || search.0.next().filter(|discovered| !discovered.servers.is_empty()))
}

#[test]
fn a_server_is_found_and_recognised_by_its_certificate_after_a_visit() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::announced(Some(certificates.path()), "127.0.0.1:0", "Lab");
    let client = Client::new("ada", &test_keys::ada());
    let discovered = found(&search(&client, &host.address));
    let [server] = &discovered.servers[..] else { panic!("{discovered:?}") };
    assert_eq!((server.announcement.name.as_str(), server.address.to_string()), ("Lab", host.address.clone()));
    assert_eq!((server.familiarity, discovered.knows_servers), (Familiarity::New, false));

    let certificate_hash = server.announcement.certificate_hash.expect("it has TLS");
    let join = |address: &str, certificate_hash| NetCommand::ConnectFound {
        address: address.to_owned(),
        name: "ada".to_owned(),
        certificate_hash,
    };
    client.send(join(&host.address, certificate_hash));
    let online = client.online();
    assert_eq!(online.tls.expect("TLS is on").certificate_hash, certificate_hash, "it is the announced one");

    let search = search(&client, &host.address);
    let discovered = found(&search);
    assert_eq!((discovered.servers[0].familiarity, discovered.knows_servers), (Familiarity::Last, true));
    let is_counted = |discovered: &Discovered| discovered.servers[0].announcement.people_count == 1;
    if !is_counted(&discovered) {
        search.1.wait_for("ada among the people there", || search.0.next().filter(is_counted));
    }
}

#[test]
fn a_known_server_at_another_address_is_no_first_visit() {
    let certificates = tempfile::tempdir().unwrap();
    let client = Client::new("ada", &test_keys::ada());
    for is_first_visit in [true, false] {
        // Another port, with the same certificate.
        let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
        client.connect(&host.address, "ada");
        assert_eq!(client.online().is_first_visit, is_first_visit);
        client.send(NetCommand::Disconnect);
        assert_eq!(client.offline(), Offline::Left);
    }
}

#[test]
fn a_server_with_another_certificate_than_announced_is_told_nothing() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let client = Client::new("ada", &test_keys::ada());
    let command =
        NetCommand::ConnectFound { address: host.address.clone(), name: "ada".to_owned(), certificate_hash: [9; 32] };
    client.send(command);
    let Offline::BrokeProtocol { what, .. } = client.offline() else { panic!("it was joined") };
    assert!(what.contains("another certificate than it has announced"), "{what}");
    assert!(!client.data_dir.path().join("known-servers.toml").exists(), "and it is not remembered");
}

#[test]
fn an_answer_that_was_not_asked_for_is_not_believed() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = socket.local_addr().unwrap();
    let answer = move |token, name: &str| {
        let announcement = Announcement {
            instance: InstanceId([1; 8]),
            name: ServerName::parse(name).unwrap(),
            protocol_version: PROTOCOL_VERSION,
            port: address.port(),
            people_count: 0,
            video_count: 0,
            certificate_hash: None,
        };
        Answer { token, announcement }.to_bytes()
    };
    let server = thread::Builder::new().name("pretender".into()).spawn(move || {
        let mut probe = [0; PROBE_BYTES];
        let (length, client) = socket.recv_from(&mut probe).unwrap();
        let Probe { token } = Probe::from_bytes(&probe[..length]).unwrap();
        let other = token.map(|byte| !byte);
        let long = [answer(token, "Longer"), vec![0; PROBE_BYTES]].concat();
        for datagram in [answer(other, "Unasked"), b"nonsense".to_vec(), long, answer(token, "Asked")] {
            socket.send_to(&datagram, client).unwrap();
        }
    });
    let client = Client::new("ada", &test_keys::ada());
    let discovered = found(&search(&client, &address.to_string()));
    let names: Vec<_> = discovered.servers.iter().map(|server| server.announcement.name.as_str()).collect();
    assert_eq!(names, ["Asked"]);
    server.unwrap().join().unwrap();
}

#[test]
fn what_is_no_triptych_server_is_called_that_and_no_key_is_made_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::Builder::new().name("web server".into()).spawn(move || {
        for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let _ = stream.read(&mut [0; 64]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let client = Client::with(tempfile::tempdir().unwrap(), true);
    for _ in 0..2 {
        client.connect(&address, "ada");
        let offline = client.offline();
        let Offline::NotTriptych { address: told, details } = offline else { panic!("{offline:?}") };
        assert!(told == address && details.ends_with('.'), "{details}");
    }
    assert!(!identity_path(client.data_dir.path(), &name("ada")).exists());
    server.unwrap().join().unwrap();
}

#[test]
fn a_pasted_url_connects() {
    let host = Host::start(None, "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    crate::support::client::keep(data_dir.path(), "ada", &test_keys::ada());
    let client = Client::with(data_dir, true);
    client.connect(&format!(" http://{}/ ", host.address), "ada");
    assert_eq!(client.online().name, name("ada"));
}
