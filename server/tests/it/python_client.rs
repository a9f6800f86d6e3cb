//! The client of `docs/PROTOCOL.md`, section 16, on a real server: what that page says is enough to write one.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use common::{
    crypto::{
        Envelope, Identity, TextNumber,
        letter::{self, Content, Letter},
        test_keys,
    },
    message::{Blob, ClientMessage, LeaveReason, Person, ServerMessage},
};

use crate::support::{client::TestClient, clips::Clip, server::TestServer};

/// Joins as Ada, prints what it gets, and answers each letter, until one says "bye".
const DRIVER: &str = r#"
import signal, socket, sys
signal.alarm(20)
path, port = sys.argv[1:]
ada = serialization.load_pem_private_key(open(path, "rb").read(), None)
client = Client(socket.create_connection(("127.0.0.1", int(port)), 20), "Ada", ada)
print("joined", *client.people, flush=True)
while True:
    kind, fields = client.next()
    if kind in (3, 4):
        print(*client.people, flush=True)
    elif kind == 6:
        envelope = fields.counted()
        if envelope[26:58] == key_id(ada.public_key()):
            continue
        try:
            sender, kind, _, content = client.open(envelope)
        except ValueError:
            print("not opened", flush=True)
            continue
        require(kind == 0)
        text = content[1]
        client.confirm(sender, envelope)
        print(f"{sender}: {text}", flush=True)
        if text == "bye":
            client.send(8)
            break
        client.write(sender, f"I have read: {text}".encode())
"#;

/// Joins as Ada, watches a video to its end, and prints the index of each picture, where it begins and ends, and in how
/// many parts the pictures came.
const VIEWER: &str = r#"
import signal, socket, sys
signal.alarm(20)
path, port = sys.argv[1:]
ada = serialization.load_pem_private_key(open(path, "rb").read(), None)
client = Client(socket.create_connection(("127.0.0.1", int(port)), 20), "Ada", ada)
client.watch(1, client.videos["Noise"])
pictures, parts = Pictures(), 0
while True:
    kind, fields = client.next()
    parts += kind in (9, 19)
    picture = pictures.take(kind, fields)
    if picture:
        head, jpeg = picture
        print(head["index"], jpeg[:2].hex(), jpeg[-2:].hex(), flush=True)
        client.send(5, number(1) + number(0) + number(1))
    elif kind == 10:
        print("ended after", parts, flush=True)
        break
"#;

/// The Python process; killed when dropped.
struct Ada {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Ada {
    fn start(port: u16, driver: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let page = fs::read_to_string(root.join("docs/PROTOCOL.md")).unwrap();
        let program = |part: &str| part.split("```").next().unwrap().to_owned();
        let mut programs: String = page.split("```python\n").skip(1).map(program).collect();
        programs.push_str(driver);
        let mut python = Command::new("python3");
        python.args(["-c", &programs]).arg(root.join("common/src/crypto/test_key_ada.pem")).arg(port.to_string());
        let spawned = python.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.expect("install python3 with the package cryptography: scripts/setup.sh test");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line that it prints. It ends itself 20 s after its start.
    fn line(&mut self) -> String {
        tokio::task::block_in_place(|| self.lines.next()).expect("Python goes on; its error is above").unwrap()
    }
}

impl Drop for Ada {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn say(from: &mut TestClient, key: &Identity, to: &Person, sequence: u64, text: &str) {
    let letter = Letter {
        sent_unix_millis: 1,
        content: Content::Text(TextNumber { count: sequence, number: 1 }, text.to_owned()),
    };
    let envelope = letter::seal(&letter, sequence, key, &to.public_key, &to.session).unwrap();
    from.send(&ClientMessage::Say { envelope: Blob(envelope.as_bytes().to_vec()) }).await;
}

/// The text of the next letter from Ada.
async fn heard(by: &mut TestClient, ada: &Person) -> String {
    let from_ada = |message| match message {
        ServerMessage::Relayed { envelope } => {
            Envelope::parse(envelope.0).ok().filter(|envelope| envelope.sender == ada.public_key.id())
        }
        _ => None,
    };
    let envelope = by.next_that(from_ada).await;
    let opened = letter::open(&envelope, &test_keys::bob(), &test_keys::session_keys(), &ada.public_key).unwrap();
    let Content::Text(_, text) = opened.content else { panic!("a letter that is no text") };
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_the_protocol_page_joins_keeps_the_dictionary_and_exchanges_letters() {
    let (bob_key, eve_key) = (test_keys::bob(), test_keys::eve());
    let server = TestServer::start().await;
    let (mut bob, _) = TestClient::join(server.address, "Bob", &bob_key).await;
    let mut python = Ada::start(server.address.port(), DRIVER);
    let joined = |message| match message {
        ServerMessage::Joined { person, .. } => Some(person),
        _ => None,
    };
    let ada = bob.next_that(joined).await;
    assert_eq!(ada.public_key, *test_keys::ada().public_key());
    assert!(ada.session.verify(&ada.public_key, &ada.name, &[0; 32]));
    assert_eq!(python.line(), "joined Ada Bob");

    let (mut eve, welcome) = TestClient::join(server.address, "Eve", &eve_key).await;
    assert_eq!(python.line(), "Ada Bob Eve");
    say(&mut bob, &bob_key, &ada, 1, "Grüße, 你好 🦀").await;
    assert_eq!(python.line(), "Bob: Grüße, 你好 🦀");
    assert_eq!(heard(&mut bob, &ada).await, "I have read: Grüße, 你好 🦀");
    let bob_as_listed = welcome.people.iter().find(|person| person.name.as_str() == "Bob").unwrap();
    say(&mut eve, &eve_key, bob_as_listed, 1, "not for Ada").await;
    assert_eq!(python.line(), "not opened");

    eve.send(&ClientMessage::Quit).await;
    assert_eq!(python.line(), "Ada Bob");
    say(&mut bob, &bob_key, &ada, 2, "bye").await;
    assert_eq!(python.line(), "Bob: bye");
    let left = |message| match message {
        ServerMessage::Left { name, reason, .. } if name.as_str() == "Ada" => Some(reason),
        _ => None,
    };
    assert_eq!(bob.next_that(left).await, LeaveReason::Quit);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_the_protocol_page_watches_a_video_whose_pictures_come_in_parts() {
    const FRAMES: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    let noise = |number: u32, row: f32, column: f32| {
        let place = (row * 7919.0) as u32 * 104_729 + (column * 7919.0) as u32 + number;
        (place.wrapping_mul(0x9E37_79B1) >> 24) as u8
    };
    let clip = Clip { size: (640, 480), ..Clip::new(0, FRAMES, 25) };
    clip.write_painted(&folder.path().join("Noise_480p.mp4"), noise, |_, _| (128, 128));
    let server = TestServer::start_with(folder.path()).await;
    let mut python = Ada::start(server.address.port(), VIEWER);
    for index in 0..FRAMES {
        assert_eq!(python.line(), format!("{index} ffd8 ffd9"));
    }
    let end = python.line();
    let parts: u64 = end.strip_prefix("ended after ").unwrap().parse().unwrap();
    assert!(parts >= 2 * FRAMES, "{end} parts");
}
