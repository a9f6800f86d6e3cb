//! Runs the Python of `docs/PROTOCOL.md`, section 15: a second implementation, written from that page, must open what the
//! client seals, and refuse what the client refuses.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    time::Instant,
};

use common::{
    crypto::{
        Message, MessageId, SessionRecord, TextNumber,
        letter::{Content, Letter, seal},
        sender_key::Speaker,
        test_keys,
    },
    name::Name,
};

use crate::vectors::{document, hex};

const NUMBER: TextNumber = TextNumber { count: 9, number: 3 };

/// Reads lines `name hex` and prints `name verdict` for each.
const DRIVER: &str = r#"
import sys
def pem(name):
    data = open(f"src/crypto/test_key_{name}.pem", "rb").read()
    return serialization.load_pem_private_key(data, None)
ada, bob, session = pem("ada").public_key(), pem("bob"), bytes([0x42]) * 32
for line in sys.stdin:
    name, data = line.rsplit(" ", 1)
    data = bytes.fromhex(data)
    try:
        if name == "record":
            key = verify_session_record(data, bob.public_key(), "Bob", bytes([7]) * 32)
            verdict = str(key == xwing_public_key(session))
        elif name == "sender key":
            number, sender_key = open_letter(data, bob, session, ada)[2]
            verdict = f"{number[0]}.{number[1]} {len(sender_key)}"
        elif name == "line":
            index, time, number, text = open_line(data, sender_key, key_id(ada))
            verdict = f"{index} {time} {number[0]}.{number[1]} {text}"
        else:
            kind, time, content = open_letter(data, bob, session, ada)
            if kind == 0:
                (count, number), text = content
                verdict = f"{kind} {time} {count}.{number} {text}"
            else:
                verdict = f"{kind} {time} {' '.join(id.hex() for id in content)}"
    except Exception as error:
        verdict = "refused"
    print(f"{name}: {verdict}")
"#;

/// The first Python programs of the page.
pub fn programs(count: usize) -> String {
    let page = document("docs/PROTOCOL.md");
    let program = |part: &str| part.split("```").next().expect("the program ends").to_owned();
    page.split("```python\n").skip(1).take(count).map(program).collect()
}

/// Runs a program with this input and returns what it prints.
pub fn run_python(program: &str, input: &str) -> String {
    let mut python = Command::new("python3");
    let remedy = "install python3 with the package cryptography: scripts/setup.sh test";
    python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn().unwrap_or_else(|error| panic!("{error}; {remedy}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap_or_else(|error| panic!("{error}; {remedy}"));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{remedy}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the opener of section 15 makes of these lines.
fn opened(lines: &str) -> String {
    run_python(&(programs(1) + DRIVER), lines)
}

#[test]
fn the_python_of_the_protocol_page_opens_the_committed_letters_alike() {
    let text = document("docs/vectors/letters.txt");
    let (mut lines, mut expected) = (String::new(), String::new());
    for block in text.split("\n\n").filter(|block| !block.starts_with('#')) {
        let (name, digits) = block.split_once('\n').unwrap();
        writeln!(lines, "{name} {}", digits.replace('\n', "")).unwrap();
        let verdict =
            if name == "opens" { "0 1780000000000 1779999000000000.7 Hello, Bob! Grüße, 你好" } else { "refused" };
        writeln!(expected, "{name}: {verdict}").unwrap();
    }
    assert_eq!(opened(&lines), expected);
}

#[test]
fn the_python_of_the_protocol_page_reads_what_the_client_makes() {
    let (ada, bob, sessions) = (test_keys::ada(), test_keys::bob(), test_keys::session_keys());
    let name = Name::parse("Bob").unwrap();
    let session = sessions.current().public_key();
    let record = SessionRecord::sign(session, 1_780_000_000_000, &bob, &name, &[7; 32]);
    let other_server = SessionRecord::sign(session, 1_780_000_000_000, &bob, &name, &[8; 32]);
    let mut lines = format!("record {}\nrecord {}\n", hex(record.as_bytes()), hex(other_server.as_bytes()));
    let contents = [
        (Content::Text(NUMBER, "Ça marche 🦀".to_owned()), "0 5 9.3 Ça marche 🦀"),
        (Content::Text(NUMBER, "x".repeat(300)), &*format!("0 5 9.3 {}", "x".repeat(300))),
        (Content::Receipt(vec![MessageId([0xab; 16])]), "2 5 abababababababababababababababab"),
        (
            Content::Receipt(vec![MessageId([0xcd; 16]), MessageId([0xef; 16])]),
            "2 5 cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd efefefefefefefefefefefefefefefef",
        ),
    ];
    let mut expected = "record: True\nrecord: refused\n".to_owned();
    for (content, verdict) in contents {
        let letter = Letter { sent_unix_millis: 5, content };
        let envelope = seal(&letter, 9, &ada, bob.public_key(), &record).unwrap();
        writeln!(lines, "letter {}", hex(envelope.as_bytes())).unwrap();
        writeln!(expected, "letter: {verdict}").unwrap();
    }
    assert_eq!(opened(&lines), expected);
}

#[test]
fn the_python_of_the_protocol_page_reads_what_is_said_to_everyone() {
    let (ada, bob, sessions) = (test_keys::ada(), test_keys::bob(), test_keys::session_keys());
    let name = Name::parse("Bob").unwrap();
    let record = SessionRecord::sign(sessions.current().public_key(), 1, &bob, &name, &[7; 32]);
    let (mut speaker, me) = (Speaker::default(), ada.public_key().id());
    let say = |speaker: &mut Speaker, text: &str| {
        let line = Message { sent_unix_millis: 5, number: NUMBER, text: text.to_owned() };
        speaker.seal(&line, 1, me).unwrap().as_bytes().to_vec()
    };
    speaker.prepare(&[], Instant::now());
    let before = say(&mut speaker, "before Bob came");
    let sender_key = Content::SenderKey(NUMBER, speaker.hand_over(bob.public_key().id()).unwrap());
    let handover = Letter { sent_unix_millis: 5, content: sender_key };
    let letter = seal(&handover, 9, &ada, bob.public_key(), &record).unwrap();
    let first = say(&mut speaker, "Ça marche 🦀");
    for _ in 0..300 {
        say(&mut speaker, "skipped");
    }
    let later = say(&mut speaker, &"x".repeat(200));
    let mut changed = first.clone();
    changed[20] ^= 1;
    let mut lines = format!("sender key {}\n", hex(letter.as_bytes()));
    for line in [before, first, later, changed] {
        writeln!(lines, "line {}", hex(&line)).unwrap();
    }
    let expected = format!(
        "sender key: 9.3 229\nline: refused\nline: 1 5 9.3 Ça marche 🦀\nline: 302 5 9.3 {}\nline: refused\n",
        "x".repeat(200)
    );
    assert_eq!(opened(&lines), expected);
}
