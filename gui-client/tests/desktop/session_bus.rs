//! A desktop session of its own for one person: a D-Bus session bus with the accessibility bus, and nothing else that a desktop
//! has.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use zbus::blocking::{Connection, Proxy, connection::Builder};

/// How the accessibility bus is started; every system keeps the program elsewhere.
const ACCESSIBILITY_SERVICE: &str = "/usr/share/dbus-1/services/org.a11y.Bus.service";

/// A bus that knows only the services of one folder, so that no program of the real desktop is started for a test. It listens on
/// a path, which programs of another network reach, too.
fn config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={folder}/bus</listen>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"#
    )
}

/// The session bus of one person. Ends when dropped, and the accessibility bus with it.
pub struct SessionBus {
    daemon: Child,
    /// Where programs find the bus.
    pub address: String,
    /// To the accessibility bus.
    pub accessibility: Connection,
    folder: PathBuf,
}

impl SessionBus {
    /// Starts the buses; what they need lies in `folder`, which is made.
    pub fn start(folder: &Path) -> Self {
        let services = folder.join("services");
        fs::create_dir_all(&services).unwrap();
        let service = Path::new(ACCESSIBILITY_SERVICE);
        let copied = fs::read_to_string(service)
            .unwrap_or_else(|error| panic!("{ACCESSIBILITY_SERVICE}: {error}; 'make test' installs at-spi2-core"));
        // The line would have the user's systemd start it, in the real session.
        let lines = copied.lines().filter(|line| !line.starts_with("SystemdService"));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        fs::write(services.join(service.file_name().unwrap()), text).unwrap();
        let config_file = folder.join("bus.conf");
        fs::write(&config_file, config(folder)).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address=1", "--config-file"])
            .arg(&config_file)
            .env("HOME", folder)
            .env("GSETTINGS_BACKEND", "memory")
            .envs(["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, folder)))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("AT_SPI_BUS_ADDRESS")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("dbus-daemon: {error}; 'make test' installs it"));
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let session = connected(&address);
        let status = Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Status").unwrap();
        // Programs offer their widgets only while something asks for them.
        status.set_property("IsEnabled", true).unwrap();
        let bus = Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus").unwrap();
        let at: String = bus.call("GetAddress", &()).unwrap();
        let accessibility = connected(&at);
        Self { daemon, address, accessibility, folder: folder.to_owned() }
    }
}

fn connected(address: &str) -> Connection {
    Builder::address(address).unwrap().build().unwrap_or_else(|error| panic!("the bus at {address}: {error}"))
}

impl Drop for SessionBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
