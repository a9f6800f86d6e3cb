//! The card for the key of a name: export, import, and a new identity.

use egui_kittest::kittest::Queryable;
use triptych_client::{
    event::{IdentityRequest, NetCommand, NetEvent, Passphrase},
    state::{State, action::Action},
};

use crate::support::{
    scenes::{form, moment},
    window::{Window, show, window},
};

type Harness = egui_kittest::Harness<'static, Window>;

fn open(state: State) -> Harness {
    let mut harness = window(state, [760.0, 600.0]);
    harness.get_by_label("Export, import or renew the key of this name").click();
    harness.run();
    harness.get_by_label("The key of ada");
    harness
}

fn fill(harness: &mut Harness, label: &str, text: &str) {
    harness.get_by_label(label).click();
    harness.run();
    harness.get_by_label(label).type_text(text);
    harness.run();
}

fn click(harness: &mut Harness, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

#[test]
fn a_key_is_exported_under_a_passphrase_that_was_typed_twice() {
    let mut harness = open(form());
    fill(&mut harness, "File", "/tmp/ada-key.pem");
    fill(&mut harness, "Passphrase", "correct horse");
    fill(&mut harness, "Passphrase again", "correct house");
    click(&mut harness, "Export the key");
    assert!(harness.state().commands().is_empty(), "the two differ");
    harness.get_by_label("The two passphrases are not the same yet.");
    fill(&mut harness, "Passphrase again", "");
    harness.state_mut().state.identity.as_mut().unwrap().repeated = Passphrase::new("correct horse".into());
    harness.run();
    click(&mut harness, "Export the key");
    let request = IdentityRequest::Export {
        file: "/tmp/ada-key.pem".into(),
        passphrase: Passphrase::new("correct horse".into()),
    };
    assert!(harness.state().commands() == [&NetCommand::Identity { name: "ada".into(), request }]);
    click(&mut harness, "Export the key");
    assert_eq!(harness.state().commands().len(), 1, "it is being done");
    harness.state_mut().state.apply(NetEvent::IdentityDone(Ok("The key of ada is there.".into())), moment());
    harness.run();
    harness.get_by_label("The key of ada is there.");
    let card = harness.state().state.identity.clone().unwrap();
    assert_eq!((card.passphrase.text(), card.repeated.text()), ("", ""), "they are forgotten");
    assert!(!format!("{:?}", harness.state().actions).contains("horse"), "and never printed");
}

#[test]
fn a_short_passphrase_exports_nothing() {
    let mut harness = open(form());
    fill(&mut harness, "File", "/tmp/ada-key.pem");
    for label in ["Passphrase", "Passphrase again"] {
        fill(&mut harness, label, "too short");
    }
    click(&mut harness, "Export the key");
    assert!(harness.state().commands().is_empty());
    harness.get_by_label_contains("at least 10 characters");
}

#[test]
fn a_failed_import_is_explained() {
    let harness = show("identity-failed");
    harness.get_by_label("The passphrase is wrong, or the file is damaged.");
    harness.get_by_label("Type it again. Capitals and spaces count.");
}

#[test]
fn a_new_identity_takes_two_steps_and_can_be_called_off() {
    let mut harness = open(form());
    click(&mut harness, "New identity");
    harness.get_by_label_contains("for up to thirty days");
    click(&mut harness, "Begin anew…");
    assert!(harness.state().commands().is_empty(), "it asks once more");
    click(&mut harness, "Keep it");
    click(&mut harness, "Begin anew…");
    click(&mut harness, "Set the key of ada aside");
    let expected = NetCommand::Identity { name: "ada".into(), request: IdentityRequest::Renew };
    assert!(harness.state().commands() == [&expected]);
}

#[test]
fn the_card_leads_back_to_the_form() {
    let mut harness = open(form());
    click(&mut harness, "Back");
    click(&mut harness, "Connect");
    assert!(matches!(harness.state().commands()[..], [NetCommand::Connect { .. }]));
    assert!(harness.state().actions.contains(&Action::Connect));
}
