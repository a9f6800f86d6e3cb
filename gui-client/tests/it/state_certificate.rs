//! What the state does about the server's certificate: the first visit, and a changed one.

use common::media::Library;
use triptych_client::{
    event::{CertificateChange, NetCommand, NetEvent, Offline},
    state::{
        State,
        action::{Action, Moment},
        connection::Phase,
    },
};

use crate::support::{
    scenes::{self, moment},
    state::commands,
};

#[test]
fn another_certificate_is_trusted_after_it_was_compared_and_not_before() {
    let mut state = scenes::scene("certificate");
    let problem = state.connection.problem.clone().expect("it is explained");
    assert!(problem.is_alarming);
    assert_eq!(problem.button, None);
    assert_eq!(state.connection.phase, Phase::Idle, "and it is not tried again by itself");
    assert!(state.handle(Action::TrustCertificate, moment()).is_empty(), "nothing was compared yet");
    for (is_confirmed, count) in [(true, 1), (false, 0), (true, 1)] {
        state.handle(Action::ConfirmCertificate(is_confirmed), moment());
        assert_eq!(commands(state.clone().handle(Action::TrustCertificate, moment())).len(), count);
    }
    let sent = commands(state.handle(Action::TrustCertificate, moment()));
    let expected = NetCommand::ConnectTrusting {
        address: "127.0.0.1:7878".into(),
        name: "ada".into(),
        change: Box::new(scenes::certificate_change()),
    };
    assert!(sent == [expected]);
    assert_eq!(state.connection.problem, None);
    assert!(state.handle(Action::TrustCertificate, moment()).is_empty(), "once");
}

#[test]
fn a_forgotten_server_leads_back_to_the_form() {
    for scene in ["certificate", "certificate-later"] {
        let mut state = scenes::scene(scene);
        let sent = commands(state.handle(Action::ForgetServer, moment()));
        let (last, before) = sent.split_last().expect("it is forgotten");
        assert!(*last == NetCommand::ForgetServer { address: "127.0.0.1:7878".into() }, "{scene}");
        assert!(before.iter().all(|command| *command == NetCommand::Disconnect), "{scene}");
        assert_eq!((state.connection.phase.clone(), state.connection.problem.clone()), (Phase::Idle, None));
        assert!(!state.connection.is_wanted, "the form is shown");
        assert!(state.handle(Action::ForgetServer, moment()).is_empty(), "once");
    }
}

#[test]
fn the_right_server_is_looked_for_while_the_person_decides() {
    let mut state = scenes::scene("certificate-later");
    state.handle(Action::ConfirmCertificate(true), moment());
    let alarm = state.connection.problem.clone();
    let due = |state: &State| Moment { instant: state.next_tick().expect("it is tried again"), ..moment() };
    let again = due(&state);
    assert!(matches!(commands(state.tick(again))[..], [NetCommand::Connect { .. }]));
    let changed = Offline::CertificateChanged(scenes::certificate_change());
    state.apply(NetEvent::Offline(changed.clone()), again);
    assert_eq!(state.connection.problem, alarm, "what was ticked stays");
    let again = due(&state);
    state.tick(again);
    state.apply(NetEvent::Offline(scenes::lost()), again);
    assert_eq!(state.connection.problem, alarm, "no server at all decides nothing");
    // A third certificate was not compared with anything yet.
    let third = CertificateChange { found: [9; 32], ..scenes::certificate_change() };
    let again = due(&state);
    state.tick(again);
    state.apply(NetEvent::Offline(Offline::CertificateChanged(third)), again);
    let choice = state.connection.problem.clone().and_then(|problem| problem.certificate).expect("it is asked about");
    assert_eq!((choice.change.found, choice.is_confirmed), ([9; 32], false));
    let again = due(&state);
    state.tick(again);
    state.apply(scenes::online(Vec::new(), Library::default()), again);
    assert_eq!(state.connection.problem, None, "the right server is back");
}

#[test]
fn a_server_that_is_forgotten_during_an_attempt_is_not_joined_by_it() {
    let mut state = scenes::scene("certificate-later");
    let due = state.next_tick().expect("it is tried again");
    state.tick(Moment { instant: due, ..moment() });
    let sent = commands(state.handle(Action::ForgetServer, moment()));
    assert!(matches!(sent[..], [NetCommand::Disconnect, NetCommand::ForgetServer { .. }]));
    assert_eq!(state.connection.phase, Phase::Idle);
}

#[test]
fn the_first_visit_is_told_until_it_was_read() {
    let mut state = scenes::scene("first-visit");
    assert!(state.connection.is_first_visit);
    state.apply(NetEvent::Offline(scenes::lost()), moment());
    state.apply(scenes::online(Vec::new(), Library::default()), moment());
    assert!(state.connection.is_first_visit, "a reconnection reads nothing");
    state.handle(Action::EndFirstVisitNotice, moment());
    assert!(!state.connection.is_first_visit);
    assert!(!scenes::joined().connection.is_first_visit);
}
