//! What is told of a connection that ends, and of a form that cannot work, as plain state.

use std::time::Duration;

use triptych_client::{
    event::{NetEvent, Offline},
    state::{
        action::{Action, Moment},
        connection::{FormField, Phase},
    },
};
use triptych_server::session::notices;

use crate::support::scenes::{form, joined, lost, moment, name_taken};

#[test]
fn the_reason_that_a_server_gives_is_not_hidden_by_its_absence() {
    let mut state = joined();
    state.apply(NetEvent::Offline(Offline::Goodbye(notices::SERVER_STOPPED.to_owned())), moment());
    let told = state.connection.problem.clone();
    let mut now = moment();
    for _ in 0..3 {
        let Phase::Waiting { retry_at } = state.connection.phase else { panic!("it is tried again") };
        now = Moment { instant: retry_at + Duration::from_millis(1), ..now };
        state.tick(now);
        state.apply(NetEvent::Offline(lost()), now);
        assert_eq!(state.connection.problem, told);
    }
    state.apply(NetEvent::Offline(name_taken()), now);
    assert_ne!(state.connection.problem, told, "other news is told");
}

#[test]
fn a_problem_names_the_field_that_is_wrong_and_goes_when_the_form_is_changed() {
    let unreachable = || Offline::Unreachable { what: "x.".into(), remedy: "y.".into() };
    let not_triptych = Offline::NotTriptych { address: "lab:7878".into(), details: "z.".into() };
    for (offline, field) in
        [(unreachable(), FormField::Address), (not_triptych, FormField::Address), (name_taken(), FormField::Name)]
    {
        let mut state = form();
        state.handle(Action::Connect, moment());
        state.apply(NetEvent::Offline(offline), moment());
        assert_eq!(state.connection.problem.as_ref().and_then(|problem| problem.field), Some(field));
        state.handle(Action::EditAddress("lab".into()), moment());
        assert_eq!(state.connection.problem, None);
    }
}

#[test]
fn the_form_takes_every_address_that_can_be_read_and_names_what_is_wrong_with_others() {
    let mut state = form();
    for address in ["lab", " 10.0.0.5:99 ", "[::1]:7950", "::1", "http://127.0.0.1:7950/", "triptych://lab"] {
        state.handle(Action::EditAddress(address.into()), moment());
        assert_eq!(state.connection.form_hint(), None, "{address}");
    }
    for (address, told) in [("my computer", "is not a valid address"), ("lab:79500", "is not a port"), ("", "Enter")] {
        state.handle(Action::EditAddress(address.into()), moment());
        assert!(state.connection.form_hint().is_some_and(|hint| hint.contains(told)), "{address}");
        assert!(state.handle(Action::Connect, moment()).is_empty());
    }
}
