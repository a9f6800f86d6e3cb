//! The state, driven by events and actions without a window or a network.

use std::time::{Duration, Instant};

use common::{
    limits::{HANDSHAKE_DEADLINE, LOGIN_DEADLINE, MAX_TEXT_BYTES, PROTOCOL_VERSION},
    media::Library,
    message::RefusalCode,
};
use triptych_client::{
    event::{NetCommand, NetEvent, Offline, Progress, WireOutcome},
    state::{
        action::{Action, Moment, Peer, SidePanel},
        connection::Phase,
        conversation::Delivery,
        effect::Effect,
        sending::SendObstacle,
    },
};
use triptych_server::{
    admission::NoPlace,
    hub::directory::EnterError,
    session::notices::{self, Refusal},
};

use crate::support::{
    scenes::{
        self, OTHER_VERSION, ada, bob, envelope, eve, form, id, joined, joined_with, joins, leaves, library, lost,
        message, moment, name, name_taken, online, person, say, still_online, was_sealed,
    },
    state::{bob_peer, commands, contact_names, draft, messages, only_delivery, unread, write},
};

fn at(seconds: f64, start: Instant) -> Moment {
    Moment { instant: start + Duration::from_secs_f64(seconds), ..moment() }
}

// ---- The form and the connection

#[test]
fn the_form_connects_with_what_it_holds() {
    let mut state = form();
    state.handle(Action::EditAddress(" lab:9000 ".into()), moment());
    state.handle(Action::EditName(" Žofie ".into()), moment());
    let expected = NetCommand::Connect { address: "lab:9000".into(), name: "Žofie".into() };
    assert!(commands(state.handle(Action::Connect, moment())) == [expected]);
    assert_eq!(state.connection.phase, Phase::Attempting(Progress::Connecting));
    state.apply(NetEvent::Progress(Progress::MakingKeys), moment());
    assert_eq!(state.connection.phase, Phase::Attempting(Progress::MakingKeys));
}

#[test]
fn a_form_that_cannot_work_says_why_and_sends_nothing() {
    let mut state = form();
    for (address, name, word) in [("", "ada", "address"), ("lab", "", "name"), ("lab", "a/b", "Names can contain")] {
        state.handle(Action::EditAddress(address.into()), moment());
        state.handle(Action::EditName(name.into()), moment());
        assert!(state.connection.form_hint().is_some_and(|hint| hint.contains(word)), "{address:?} {name:?}");
        assert!(state.handle(Action::Connect, moment()).is_empty());
        assert_eq!(state.connection.phase, Phase::Idle);
    }
}

#[test]
fn a_taken_name_offers_the_free_one() {
    let mut state = form();
    state.handle(Action::Connect, moment());
    state.apply(NetEvent::Offline(name_taken()), moment());
    let (label, action) =
        state.connection.problem.clone().and_then(|problem| problem.button).expect("a way on is offered");
    assert_eq!(label, "Join as ada-2");
    let expected = NetCommand::Connect { address: "127.0.0.1:7878".into(), name: "ada-2".into() };
    assert!(commands(state.handle(action, moment())) == [expected]);
}

#[test]
fn a_version_mismatch_names_both_versions_in_the_words_of_the_server() {
    let problem = scenes::scene("version").connection.problem.expect("it is explained");
    let refusal = Refusal::version_mismatch(OTHER_VERSION);
    assert_eq!(problem.remedy, refusal.message, "one text, not two glued together");
    for version in [OTHER_VERSION, PROTOCOL_VERSION] {
        assert!(problem.remedy.contains(&format!("version {version}")));
    }
}

#[test]
fn every_problem_is_told_in_full_sentences() {
    let goodbye = |reason: String| Offline::Goodbye(reason);
    let problems = [
        name_taken(),
        scenes::refused(Refusal::version_mismatch(OTHER_VERSION)),
        scenes::refused(Refusal::not_a_client()),
        scenes::refused(Refusal::no_hello(HANDSHAKE_DEADLINE)),
        scenes::refused(Refusal::no_join(LOGIN_DEADLINE)),
        scenes::refused(Refusal::displaced()),
        scenes::refused(Refusal::too_many_joins(5)),
        scenes::refused(Refusal::too_many_joins_from_address()),
        scenes::refused(Refusal::exhausted()),
        scenes::refused(NoPlace::TooManyFromSource(16).into()),
        scenes::refused(NoPlace::TooMany(512).into()),
        scenes::refused(EnterError::NameInUse { name: name("ada"), suggestion: None }.into()),
        scenes::refused(EnterError::NameOwned { name: name("ada"), suggestion: Some(name("ada-2")) }.into()),
        scenes::refused(Refusal::bad_proof()),
        scenes::refused(EnterError::KeyInUse(name("ada")).into()),
        still_online(),
        scenes::refused(EnterError::StillOnline { name: name("ada"), suggestion: None }.into()),
        scenes::refused(EnterError::Full(2_000).into()),
        goodbye(notices::SERVER_STOPPED.to_owned()),
        goodbye(notices::client_silent()),
        // As servers of older releases put it.
        goodbye("the server was stopped".to_owned()),
    ];
    for offline in problems {
        let mut state = joined();
        state.handle(Action::Leave, moment());
        state.handle(Action::Connect, moment());
        state.apply(NetEvent::Offline(offline), moment());
        let problem = state.connection.problem.expect("it is explained");
        for text in [&problem.what, &problem.remedy] {
            assert!(text.starts_with(char::is_uppercase) || text.starts_with('"'), "{text:?}");
            assert!(text.ends_with('.'), "{text:?}");
            let glued = text.replace(". ", "").replace(" s.", "");
            assert!(!glued.contains(".."), "{text:?}");
            let starts_well = |sentence: &str| sentence.starts_with(|c: char| c.is_uppercase() || c == '"');
            assert!(text.split(". ").all(starts_well), "{text:?}");
        }
    }
}

#[test]
fn editing_the_form_takes_an_old_problem_away_but_not_an_alarm() {
    for edit in [Action::EditName("eva".into()), Action::EditAddress("lab".into())] {
        let mut state = scenes::scene("name-taken");
        state.handle(edit, moment());
        assert_eq!(state.connection.problem, None);
    }
    let mut state = scenes::scene("certificate");
    state.handle(Action::EditName("eva".into()), moment());
    assert!(state.connection.problem.is_some(), "the server is the same whatever the name");
    state.handle(Action::EditAddress("lab".into()), moment());
    assert_eq!(state.connection.problem, None);
}

#[test]
fn the_first_failure_waits_for_the_person() {
    let mut state = scenes::scene("unreachable");
    assert_eq!(state.connection.phase, Phase::Idle);
    assert_eq!(state.next_tick(), None);
    let (label, action) =
        state.connection.problem.clone().and_then(|problem| problem.button).expect("a way on is offered");
    assert_eq!(label, "Try again");
    assert_eq!(commands(state.handle(action, moment())).len(), 1);
}

#[test]
fn a_lost_connection_is_retried_with_growing_delays() {
    let mut state = joined();
    let start = Instant::now();
    let mut now = 0.0;
    for delay in [1.0, 2.0, 4.0, 8.0, 10.0, 10.0] {
        assert!(state.apply(NetEvent::Offline(lost()), at(now, start)).is_empty());
        assert_eq!(state.next_tick(), Some(at(now + delay, start).instant));
        assert!(state.tick(at(now + delay - 0.1, start)).is_empty(), "not before its time");
        now += delay;
        let tried = commands(state.tick(at(now, start)));
        assert!(matches!(&tried[..], [NetCommand::Connect { .. }]));
        assert!(state.tick(at(now + 100.0, start)).is_empty(), "once only");
    }
    state.apply(online(vec![person("ada", ada())], library()), at(now, start));
    assert!(state.connection.is_online());
    assert_eq!(state.connection.problem, None);
    state.apply(NetEvent::Offline(lost()), at(now, start));
    assert_eq!(state.next_tick(), Some(at(now + 1.0, start).instant), "the delay begins anew");
}

#[test]
fn reconnect_now_does_not_wait() {
    let mut state = joined();
    state.apply(NetEvent::Offline(lost()), moment());
    let (label, action) =
        state.connection.problem.clone().and_then(|problem| problem.button).expect("a way on is offered");
    assert_eq!(label, "Try now");
    assert_eq!(commands(state.handle(action.clone(), moment())).len(), 1);
    assert_eq!(state.next_tick(), None);
    for _ in 0..5 {
        state.apply(NetEvent::Offline(lost()), moment());
        state.handle(action.clone(), moment());
    }
    let now = moment();
    state.apply(NetEvent::Offline(lost()), now);
    let delay = Duration::from_secs(1);
    assert_eq!(state.next_tick(), Some(now.instant + delay), "reconnecting by hand does not make the delays longer");
}

#[test]
fn a_stale_own_connection_is_waited_out_before_another_name_is_offered() {
    let mut state = joined();
    let start = Instant::now();
    state.apply(NetEvent::Offline(lost()), at(0.0, start));
    let mut seconds = 1.0;
    let mut tries = 0;
    while state.next_tick().is_some() {
        state.tick(at(seconds, start));
        state.apply(NetEvent::Offline(still_online()), at(seconds, start));
        let what = state.connection.last_failure.clone().unwrap_or_default();
        assert_eq!(what.contains("your previous connection"), state.next_tick().is_some(), "{what}");
        tries += 1;
        seconds += 60.0;
        assert!(tries < 20, "it ends some time");
    }
    // 1 + 2 + 4 + 8 seconds: the server has noticed a dead connection after ten.
    assert_eq!(tries, 4);
    let button = state.connection.problem.clone().and_then(|problem| problem.button).map(|(label, _)| label);
    assert_eq!(button.as_deref(), Some("Join as ada-2"));
}

#[test]
fn a_name_that_someone_else_took_meanwhile_is_not_mistaken_for_an_own_connection() {
    let owned = EnterError::NameOwned { name: name("ada"), suggestion: Some(name("ada-2")) };
    for refusal in [name_taken(), scenes::refused(owned.into())] {
        let mut state = joined();
        let start = Instant::now();
        state.apply(NetEvent::Offline(lost()), at(0.0, start));
        state.tick(at(1.0, start));
        state.apply(NetEvent::Offline(refusal), at(1.0, start));
        assert_eq!((state.connection.phase.clone(), state.next_tick()), (Phase::Idle, None), "it is not tried again");
        let problem = state.connection.problem.expect("it is explained");
        assert_eq!(problem.what, "Someone else has taken your name, with another key.");
        assert!(!problem.remedy.contains("previous connection"), "{}", problem.remedy);
        assert_eq!(problem.button.map(|(label, _)| label).as_deref(), Some("Join as ada-2"));
    }
}

#[test]
fn leaving_says_so_and_the_next_attempt_can_begin() {
    let mut state = joined();
    assert!(commands(state.handle(Action::Leave, moment())) == [NetCommand::Disconnect]);
    assert!(!state.connection.is_wanted);
    state.handle(Action::Connect, moment());
    assert!(matches!(state.connection.phase, Phase::Attempting(_)));
}

#[test]
fn choosing_a_person_opens_the_conversation_also_from_the_wire() {
    let mut state = joined();
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state.handle(Action::Select(Peer::Everyone), moment());
    assert_eq!(state.side, SidePanel::Conversation);
}

#[test]
fn a_permanent_refusal_after_a_lost_connection_is_not_retried() {
    let mut state = joined();
    let refused = |code| Offline::Refused { code, message: "No.".into(), suggestion: None };
    state.apply(NetEvent::Offline(refused(RefusalCode::BadKey)), moment());
    assert_eq!(state.connection.phase, Phase::Idle);
    assert!(state.connection.problem.is_some());
    assert!(state.connection.is_wanted, "the conversations stay on the screen");
}

// ---- The dictionary

#[test]
fn people_come_and_go() {
    let mut state = joined_with(vec![person("ada", ada())], Library::default());
    assert_eq!(contact_names(&state), []);
    state.apply(joins(&state, person("bob", bob())), moment());
    assert_eq!(contact_names(&state), [("bob".to_owned(), true)]);
    state.apply(joins(&state, person("eve", eve())), moment());
    state.apply(leaves(&state, "bob"), moment());
    assert_eq!(contact_names(&state), [("eve".to_owned(), true)]);
    assert_eq!(state.people.name_of(&bob().id()), Some(&name("bob")), "the wire still names who was there");
}

#[test]
fn the_typed_name_stays_in_the_form() {
    let mut state = form();
    state.handle(Action::EditName(" ada ".into()), moment());
    state.handle(Action::Connect, moment());
    state.apply(online(vec![], library()), moment());
    assert_eq!(state.connection.name, " ada ");
}

#[test]
fn a_server_that_broke_the_protocol_is_not_tried_again_by_itself() {
    let mut state = joined();
    let offline = Offline::BrokeProtocol { what: "It lists too much.".into(), remedy: "Update it.".into() };
    state.apply(NetEvent::Offline(offline), moment());
    assert_eq!((state.connection.phase.clone(), state.next_tick()), (Phase::Idle, None));
    let problem = state.connection.problem.expect("it is explained");
    assert_eq!(problem.what, "It lists too much.");
    assert_eq!(problem.button.map(|(label, _)| label).as_deref(), Some("Try again"));
}

#[test]
fn who_left_stays_listed_while_there_is_a_conversation() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    for text in ["bob", "eve"] {
        state.apply(leaves(&state, text), moment());
    }
    assert_eq!(contact_names(&state), [("bob".to_owned(), false)]);
    state.apply(joins(&state, person("bob", bob())), moment());
    assert_eq!(contact_names(&state), [("bob".to_owned(), true)]);
}

#[test]
fn a_new_key_under_an_old_name_is_another_person() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    state.apply(leaves(&state, "bob"), moment());
    state.apply(leaves(&state, "eve"), moment());
    state.apply(joins(&state, person("bob", eve())), moment());
    assert_eq!(contact_names(&state), [("bob".to_owned(), true), ("bob".to_owned(), false)]);
    assert!(write(&mut state, bob_peer(), "A secret").is_empty(), "the old bob is offline, and no one else gets it");
}

// ---- Messages

#[test]
fn a_message_goes_from_pending_to_relayed() {
    let mut state = joined();
    let sent = write(&mut state, bob_peer(), "\n Hello,\nBob \n\n");
    let [NetCommand::Send { draft, recipients, text, .. }] = &sent[..] else { panic!("one message is sent") };
    assert_eq!((&recipients[..], text.as_str()), (&[bob()][..], " Hello,\nBob"));
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Pending(*draft));
    assert_eq!(state.conversations.get(bob_peer()).map(|c| c.draft.as_str()), Some(""));
    state.apply(was_sealed(*draft, 5), moment());
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Sent(*draft, id(5)));
    state.apply(envelope(6, ada().id(), vec![bob().id()], WireOutcome::Own), moment());
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Sent(*draft, id(5)), "another one came back");
    state.apply(envelope(5, ada().id(), vec![bob().id()], WireOutcome::Own), moment());
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Relayed);
}

#[test]
fn a_failed_message_says_why_and_can_be_sent_again() {
    let mut state = joined();
    let sent = write(&mut state, bob_peer(), "Hello");
    let [NetCommand::Send { draft, .. }] = &sent[..] else { panic!("one message is sent") };
    state.apply(NetEvent::SendFailed { draft: *draft, reason: "no room".into() }, moment());
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Failed(*draft, "no room".into()));
    let again = commands(state.handle(Action::Retry(*draft), moment()));
    let [NetCommand::Send { draft: next, text, .. }] = &again[..] else { panic!("it is sent again") };
    assert_ne!(next, draft);
    assert_eq!(text, "Hello");
    assert_eq!(only_delivery(&state, bob_peer()), Delivery::Pending(*next));
    assert!(commands(state.handle(Action::Retry(*draft), moment())).is_empty(), "the old number is used up");
}

#[test]
fn messages_pending_when_the_connection_is_lost_are_marked() {
    let mut state = joined();
    say(&mut state, bob_peer(), "arrived", 1, 0);
    let sent = write(&mut state, bob_peer(), "sent");
    let [NetCommand::Send { draft, .. }] = &sent[..] else { panic!("one message is sent") };
    state.apply(was_sealed(*draft, 2), moment());
    write(&mut state, bob_peer(), "sealing");
    state.apply(NetEvent::Offline(lost()), moment());
    let deliveries: Vec<Delivery> = messages(&state, bob_peer()).into_iter().map(|m| m.delivery).collect();
    assert_eq!(deliveries[0], Delivery::Relayed);
    assert!(matches!(&deliveries[1], Delivery::Failed(_, reason) if reason.contains("may not have arrived")));
    assert!(matches!(&deliveries[2], Delivery::Failed(_, reason) if reason.contains("Not sent")));
}

#[test]
fn after_a_reconnect_conversations_stay_but_another_server_has_its_own() {
    let mut state = joined();
    say(&mut state, bob_peer(), "Hello", 1, 0);
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(contact_names(&state), [("bob".to_owned(), false), ("eve".to_owned(), false)]);
    state.handle(Action::EditDraft("kept".into()), moment());
    state.apply(online(vec![person("ada", ada()), person("bob", bob())], library()), moment());
    assert_eq!(messages(&state, bob_peer()).len(), 1);
    assert_eq!(draft(&state, bob_peer()), "kept");

    state.handle(Action::Leave, moment());
    state.handle(Action::EditAddress("elsewhere".into()), moment());
    state.handle(Action::Connect, moment());
    state.apply(online(vec![person("ada", ada()), person("bob", bob())], library()), moment());
    assert!(messages(&state, bob_peer()).is_empty());
}

#[test]
fn everyone_is_each_person_online_and_me_so_that_it_stays_a_message_to_several() {
    let mut state = joined_with(vec![person("ada", ada()), person("bob", bob())], library());
    let sent = write(&mut state, Peer::Everyone, "Good morning");
    let [NetCommand::Send { recipients, .. }] = &sent[..] else { panic!("one message is sent") };
    assert_eq!(recipients[..], [ada(), bob()]);
    assert_eq!(messages(&state, Peer::Everyone).len(), 1);
}

#[test]
fn messages_are_filed_by_whom_they_are_for() {
    let mut state = joined();
    state.apply(message("bob", &bob(), &[&ada()], "to you", 0), moment());
    state.apply(message("bob", &bob(), &[&ada(), &eve()], "to several", 1), moment());
    assert_eq!(messages(&state, bob_peer())[0].text, "to you");
    assert_eq!(messages(&state, Peer::Everyone)[0].text, "to several");
}

#[test]
fn alone_nothing_is_sent_to_everyone() {
    let mut state = scenes::scene("alone");
    assert!(write(&mut state, Peer::Everyone, "Hello?").is_empty());
    assert_eq!(draft(&state, Peer::Everyone), "Hello?");
    assert_eq!(state.send_obstacle(), Some(SendObstacle::Alone));
    assert!(state.was_send_refused());
    state.handle(Action::EditDraft("Hello??".into()), moment());
    assert!(!state.was_send_refused(), "typing takes the error away");
}

#[test]
fn blank_drafts_are_not_sent() {
    let mut state = joined();
    assert!(write(&mut state, bob_peer(), " \n\t\n").is_empty());
    assert!(messages(&state, bob_peer()).is_empty());
}

#[test]
fn eight_kibibytes_go_out_and_one_byte_more_is_refused_without_loss() {
    let mut state = joined();
    let longest = "ž".repeat(MAX_TEXT_BYTES / 2);
    assert_eq!(write(&mut state, bob_peer(), &longest).len(), 1);
    let too_long = format!("{longest}x");
    assert!(write(&mut state, bob_peer(), &too_long).is_empty());
    let conversation = state.conversations.get(bob_peer()).expect("it is there");
    assert_eq!(conversation.draft, too_long);
    assert!(state.was_send_refused());
    assert!(state.send_obstacle().is_some_and(|obstacle| obstacle.to_string().contains("1 character too long")));
    assert_eq!(conversation.room_chars(), Some(-1));
    state.handle(Action::EditDraft("short".into()), moment());
    assert_eq!(state.conversations.get(bob_peer()).and_then(|c| c.room_chars()), None);
}

#[test]
fn unread_messages_are_counted_until_they_are_on_the_screen() {
    let mut state = joined();
    // Too narrow for a conversation beside the wire.
    state.set_window_points(800.0, 600.0);
    state.apply(message("bob", &bob(), &[&ada()], "one", 0), moment());
    state.apply(message("bob", &bob(), &[&ada()], "two", 1), moment());
    assert_eq!(unread(&state, bob_peer()), 2);
    let effects = state.handle(Action::Select(bob_peer()), moment());
    assert!(effects == [Effect::FocusComposer]);
    assert_eq!(unread(&state, bob_peer()), 0);
    state.apply(message("bob", &bob(), &[&ada()], "three", 2), moment());
    assert_eq!(unread(&state, bob_peer()), 0, "it is on the screen");
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state.apply(message("bob", &bob(), &[&ada()], "four", 3), moment());
    assert_eq!(unread(&state, bob_peer()), 1, "the wire hides it");
    state.handle(Action::ShowSide(SidePanel::Conversation), moment());
    assert_eq!(unread(&state, bob_peer()), 0);
}

#[test]
fn the_wire_is_bounded() {
    let mut state = joined();
    for number in 0..600u32 {
        state.apply(envelope(number as u8, eve().id(), vec![bob().id()], WireOutcome::Foreign), moment());
    }
    assert_eq!(state.wire.newest_first().len(), 500);
    assert_eq!(state.wire.total(), 600);
}
