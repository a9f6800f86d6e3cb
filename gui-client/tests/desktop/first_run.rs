//! The first start, without a word on the command line: servers are found, or the window says what was tried.

use std::path::Path;

use crate::{
    network::Network,
    programs::{Client, Program, Server},
    stage::Stage,
    user::User,
};

/// Starts the client with nothing but its environment.
fn arrive(stage: &Stage, network: &Network, name: &str) -> User {
    stage.user(name, &Client { network: Some(network), ..Client::default() })
}

/// Starts a server on the port on which clients look.
fn serve(stage: &Stage, network: &Network, listen: &str, name: &str, videos: &Path) -> Program {
    let folder = stage.folder(&format!("{name}-server"));
    Server { listen, name, videos, folder: &folder, network: Some(network) }.start().0
}

#[test]
fn servers_are_found_and_joined_without_typing() {
    let stage = Stage::new("first-run");
    stage.add_sample();
    let network = Network::start();
    let (videos, none) = (stage.videos(), stage.folder("none"));
    std::fs::create_dir(&none).unwrap();

    // The only server is joined, under the name of the person who uses the computer.
    let mut lab = serve(&stage, &network, "127.0.0.1:7878", "Lab", &videos);
    let ada = arrive(&stage, &network, "Ada");
    ada.find("127.0.0.1:7878 · 1 online");
    ada.find("This is your first visit");
    ada.screenshot("1-joined");
    drop(ada);
    lab.wait_for_log("disconnected");
    lab.end();

    // No server: what was tried, and the field for an address has the keyboard.
    let cyd = arrive(&stage, &network, "Cyd");
    cyd.screenshot("2-looking");
    cyd.find("No server found yet");
    cyd.find("Looked on this computer");
    cyd.wait_for("the keyboard in the field for the address", || cyd.field("Server").has_focus().then_some(()));
    cyd.screenshot("3-none");

    // The search goes on, and a server that comes now is joined. There the name of the computer's person is taken.
    let lab = serve(&stage, &network, "127.0.0.1:7878", "Lab", &videos);
    cyd.find("This name is taken");
    cyd.screenshot("4-name-taken");
    let name = cyd.text_of("Your name").unwrap();
    cyd.click_away(&format!("Join as {name}-2"));
    cyd.find("127.0.0.1:7878 · 1 online");
    cyd.screenshot("5-joined");
    drop(cyd);

    // Two servers are a choice.
    let home = serve(&stage, &network, "[::1]:7878", "Home", &none);
    let bob = arrive(&stage, &network, "Bob");
    bob.find("2 servers on your network");
    bob.button("Join Lab");
    bob.screenshot("6-several");
    bob.click_away("Join Home");
    bob.find("[::1]:7878 · 1 online");
    home.wait_for_log("joined");
    bob.screenshot("7-chosen");
    drop(lab);
}
