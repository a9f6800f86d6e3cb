//! Messages to everyone in a room of a real server with more people than one slice of letters is for.

use std::thread;

use common::{crypto::test_keys, message::Person};
use triptych_client::event::{DraftId, NetCommand, NetEvent};

use crate::support::{
    adversary::{Adversary, Got},
    client::{Client, keep},
    host::Host,
    member::Member,
};

/// What a member hears of Ada until the last text.
fn hear(mut member: Member, ada: &Person, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != last) {
        let envelope = member.next_envelope();
        heard.push(match member.adversary.open(&envelope, &ada.public_key) {
            Got::Text(text) => text,
            Got::SenderKey(_) => "sender key".to_owned(),
            Got::Nothing => "nothing".to_owned(),
        });
    }
    heard
}

#[test]
fn forty_people_are_handed_the_key_once_and_read_every_message_in_order() {
    let host = Host::start(None, "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let ada = Client::with(data_dir, true);
    ada.connect(&host.address, "ada");
    ada.online();
    let crowd = test_keys::crowd();
    assert!(crowd.len() > 30, "{} people", crowd.len());
    let members: Vec<_> = crowd
        .into_iter()
        .enumerate()
        .map(|(number, identity)| {
            let member = Member::join(&host.address, Adversary::new(&format!("p{number}"), identity));
            let ada = member.person("ada").clone();
            thread::Builder::new().name(format!("p{number}")).spawn(move || hear(member, &ada, "three")).unwrap()
        })
        .collect();
    let everyone = ada.wait_for("dictionary of all", |event| match event {
        NetEvent::Dictionary(people) if people.people().len() > members.len() => Some(people.clone()),
        _ => None,
    });
    let recipients: Vec<_> = everyone.people().map(|person| person.public_key.clone()).collect();
    for (draft, text) in ["one", "two", "three"].into_iter().enumerate() {
        let (draft, recipients, text) = (DraftId(draft as u64), recipients.clone(), text.to_owned());
        ada.send(NetCommand::Send { draft, recipients, text, written_unix_millis: 5 });
    }
    let count = members.len();
    for member in members {
        assert_eq!(member.join().unwrap(), ["sender key", "one", "two", "three"]);
    }
    let sent = |draft| {
        move |event: &NetEvent| matches!(event, NetEvent::Sent { draft: sent, .. } if sent.0 == draft).then_some(())
    };
    ada.wait_for("the last message to be sent", sent(2));
    let passed = ada.passed.borrow();
    let progress: Vec<_> = passed
        .iter()
        .filter_map(|event| match event {
            NetEvent::HandingOver { draft: DraftId(0), handed, members } => Some((*handed, *members)),
            _ => None,
        })
        .collect();
    assert!(progress.len() > 5 && progress.is_sorted(), "{progress:?}");
    assert!(progress.iter().all(|(handed, members)| handed <= members && *members == count), "{progress:?}");
}
