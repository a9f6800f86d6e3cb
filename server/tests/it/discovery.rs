//! A server that clients find by themselves: probes on real sockets, and addresses of both families.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use common::{
    discovery::{Answer, PROBE_BYTES, Probe, ServerName},
    limits::PROTOCOL_VERSION,
};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use triptych_server::Settings;

use crate::support::server::{DEADLINE, TestServer, settings};

/// The name of the server in these tests.
fn lab() -> Option<ServerName> {
    Some(ServerName::parse("Lab").unwrap())
}

/// Sends `datagram` and then a probe, and returns what came before the answer to the probe, and that answer.
async fn ask(server: SocketAddr, datagram: &[u8]) -> (Vec<Vec<u8>>, Answer) {
    let socket = UdpSocket::bind((server.ip(), 0)).await.unwrap();
    socket.send_to(datagram, server).await.unwrap();
    socket.send_to(&Probe { token: *b"the last" }.to_bytes(), server).await.unwrap();
    let mut before = Vec::new();
    loop {
        let mut buffer = [0; 2 * PROBE_BYTES];
        let (length, from) = timeout(DEADLINE, socket.recv_from(&mut buffer)).await.expect("an answer").unwrap();
        assert_eq!(from, server);
        match Answer::from_bytes(&buffer[..length]) {
            Some(answer) if answer.token == *b"the last" => return (before, answer),
            _ => before.push(buffer[..length].to_vec()),
        }
    }
}

#[tokio::test]
async fn a_probe_is_answered_with_what_the_server_is_and_anything_else_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_as(&Settings { announced_as: lab(), ..settings(folder.path()) }).await;
    let (before, answer) = ask(server.address, &Probe { token: *b"the 1st." }.to_bytes()).await;
    assert_eq!(before.len(), 1, "both probes are answered");
    let announcement = answer.announcement;
    assert_eq!(announcement.name.as_str(), "Lab");
    assert_eq!((announcement.port, announcement.protocol_version), (server.address.port(), PROTOCOL_VERSION));
    assert_eq!((announcement.people_count, announcement.video_count, announcement.certificate_hash), (0, 0, None));
    let whole = Probe { token: [1; 8] }.to_bytes();
    for other in [&whole[..PROBE_BYTES - 1], &[whole.as_slice(), &[0]].concat(), b"GET / HTTP/1.1", b""] {
        assert_eq!(ask(server.address, other).await.0, Vec::<Vec<u8>>::new(), "{} bytes", other.len());
    }
}

#[tokio::test]
async fn one_that_asks_without_pause_is_not_always_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_as(&Settings { announced_as: lab(), ..settings(folder.path()) }).await;
    let socket = UdpSocket::bind((server.address.ip(), 0)).await.unwrap();
    for number in 0..100_u64 {
        socket.send_to(&Probe { token: number.to_be_bytes() }.to_bytes(), server.address).await.unwrap();
    }
    // A server takes its probes in order, so this one is looked at last; it is sent until one is answered.
    let mut answered = 0;
    let last = Probe { token: [255; 8] }.to_bytes();
    let done = async {
        loop {
            socket.send_to(&last, server.address).await.unwrap();
            let mut buffer = [0; PROBE_BYTES];
            let wait = timeout(std::time::Duration::from_millis(100), socket.recv_from(&mut buffer));
            let Ok(received) = wait.await else { continue };
            match Answer::from_bytes(&buffer[..received.unwrap().0]) {
                Some(answer) if answer.token == [255; 8] => break,
                _ => answered += 1,
            }
        }
    };
    timeout(DEADLINE, done).await.expect("it is answered again");
    assert!((1..60).contains(&answered), "{answered} of 100");
}

#[tokio::test]
async fn a_server_that_is_not_announced_answers_no_probe() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_as(&settings(folder.path())).await;
    // Its port is free for UDP, so there is nothing that could answer.
    UdpSocket::bind(server.address).await.unwrap();
}

#[tokio::test]
async fn localhost_is_reached_by_both_families() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.listen = "localhost:0".parse().unwrap();
    let server = triptych_server::Server::bind(&settings).await.unwrap();
    let addresses = server.addresses().to_vec();
    let stop = tokio_util::sync::CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    tokio::spawn(server.run(stop));
    assert!(addresses.iter().all(|address| address.port() == addresses[0].port()));
    for address in addresses {
        timeout(DEADLINE, TcpStream::connect(address)).await.unwrap().unwrap();
    }
}

/// A server process; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first lines that a server prints which is started with these arguments.
fn first_lines(arguments: &[&str]) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
    command.args(["--plaintext", "--log", "error", "--disk-cache-gib", "0"]).args(arguments);
    command.arg("--videos").arg(folder.path()).arg("--data-dir").arg(folder.path().join("data"));
    let mut server = Process(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()]
}

#[test]
fn the_console_gives_every_address_that_can_be_typed() {
    let [first, second] = first_lines(&["--listen", "localhost:0", "--name", "Lab"]);
    let address = first.strip_prefix("Triptych server on ").unwrap().split(' ').next().unwrap();
    assert!(address.parse::<SocketAddr>().unwrap().ip().is_loopback(), "{first}");
    let typed = second.strip_prefix("Clients find it by themselves as Lab. Or type one of these there: ").unwrap();
    assert!(typed.split(", ").any(|typed| typed == address), "{second}");
    assert!(typed.split(", ").all(|typed| typed.parse::<SocketAddr>().is_ok()), "{second}");
    let [_, second] = first_lines(&["--listen", "127.0.0.1:0", "--no-announce"]);
    assert!(
        second.starts_with("Clients do not find it by themselves. Type one of these there: 127.0.0.1:"),
        "{second}"
    );
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named_with_what_is_expected() {
    let output = |listen: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
        let output = command.args(["--plaintext", "--listen", listen]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = output("79500");
    assert!(told.contains("79500") && told.contains("expected a port (7878), an address"), "{told}");
}
