//! What the state does about the server's certificate: the first visit, and a changed one.

use common::media::Library;
use triptych_client::{
    event::{NetCommand, NetEvent},
    state::{action::Action, connection::Phase},
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
        assert!(sent == [NetCommand::ForgetServer { address: "127.0.0.1:7878".into() }], "{scene}");
        assert_eq!((state.connection.phase.clone(), state.connection.problem.clone()), (Phase::Idle, None));
        assert!(!state.connection.is_wanted, "the form is shown");
        assert!(state.handle(Action::ForgetServer, moment()).is_empty(), "once");
    }
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
