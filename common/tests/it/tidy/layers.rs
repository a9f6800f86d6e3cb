//! The layers of the modules: which may import which, without cycles.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Id, Modules, Target};

/// The parts of a folder, and for each the other parts that it may import. The folder's own file (`mod.rs` or `lib.rs`)
/// is the part `""`, which may import all of them.
pub struct Layers {
    /// Crate and path of the folder.
    pub folder: (&'static str, &'static [&'static str]),
    pub parts: &'static [(&'static str, &'static [&'static str])],
}

/// `main → server → listener → session → {hub, video} → outbox`; the `commands` work without a server.
pub const SERVER: Layers = Layers {
    folder: ("server", &[]),
    parts: &[
        ("main", &["server", "commands", "config", "discovery", "live_table", "video"]),
        ("commands", &["video"]),
        ("config", &["limits", "listen_address"]),
        ("limits", &[]),
        ("live_table", &["monitor", "video"]),
        ("monitor", &["hub", "video"]),
        ("listen_address", &[]),
        (
            "server",
            &[
                "monitor",
                "listener",
                "listeners",
                "listen_address",
                "discovery",
                "session",
                "hub",
                "video",
                "tls",
                "limits",
                "descriptors",
            ],
        ),
        ("listener", &["listeners", "session", "tls", "admission", "descriptors", "log_limiter"]),
        ("listeners", &["descriptors"]),
        ("discovery", &[]),
        ("session", &["config", "hub", "video", "outbox", "limits", "admission", "log_limiter"]),
        ("admission", &["limits"]),
        ("log_limiter", &[]),
        ("descriptors", &[]),
        ("hub", &["outbox", "limits", "private_files"]),
        ("video", &["outbox", "private_files"]),
        ("outbox", &[]),
        ("tls", &["private_files"]),
        ("private_files", &[]),
    ],
};

/// `stream → store → {library, disk}`, `library → process → gst`; `offline` needs no streams.
pub const VIDEO: Layers = Layers {
    folder: ("server", &["video"]),
    parts: &[
        ("stream", &["store", "library", "process", "gst"]),
        ("store", &["library", "disk", "process", "gst"]),
        ("offline", &["store", "library", "disk", "process", "gst"]),
        ("library", &["process", "gst"]),
        ("process", &["gst"]),
        ("disk", &["gst"]),
        ("gst", &[]),
    ],
};

/// `main → app → {ui, net, state, playback}`; `net`, `playback` and `ui` meet only in plain data.
pub const CLIENT: Layers = Layers {
    folder: ("gui-client", &[]),
    parts: &[
        ("main", &["quiet_start", "app", "config", "ui"]),
        ("quiet_start", &[]),
        ("app", &["ui", "net", "state", "playback", "event", "figures", "config", "settings"]),
        ("ui", &["state", "event", "settings"]),
        ("state", &["event", "figures", "dictionary", "pins", "settings"]),
        ("net", &["event", "dictionary", "pins"]),
        ("playback", &["event", "figures"]),
        ("event", &["dictionary", "pins"]),
        ("figures", &[]),
        ("dictionary", &[]),
        ("pins", &[]),
        ("config", &["settings"]),
        ("settings", &[]),
    ],
};

/// The three parts of the window share widgets and do not know each other.
pub const UI: Layers = Layers {
    folder: ("gui-client", &["ui"]),
    parts: &[
        ("chat", &["bindings", "kit"]),
        ("video", &["bindings", "kit"]),
        ("shell", &["bindings", "kit"]),
        ("bindings", &["kit"]),
        ("kit", &[]),
    ],
};

/// A module that imports a part of `folder` directly, as `(file, its part, imported part)`.
type Edge = (String, String, String);

/// The part of `folder` that a module belongs to; `None` outside the folder.
fn part_of(folder: &Id, id: &Id) -> Option<String> {
    let inside = (id.0 == folder.0).then(|| id.1.strip_prefix(folder.1.as_slice()))??;
    Some(inside.first().cloned().unwrap_or_default())
}

/// The imports between different parts of a folder.
fn edges(modules: &Modules, folder: &Id) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for (id, module) in modules.iter() {
        let Some(part) = part_of(folder, id) else { continue };
        for target in modules.targets(id) {
            let Target::Module(target) = target else { continue };
            let Some(other) = part_of(folder, &target).filter(|other| *other != part) else { continue };
            edges.insert((module.file.clone(), part.clone(), other));
        }
    }
    edges
}

impl Layers {
    /// The imports that are not allowed, one sentence each.
    pub fn violations(&self, modules: &Modules) -> Vec<String> {
        let folder = (self.folder.0.to_owned(), self.folder.1.iter().map(|&part| part.to_owned()).collect());
        let rules: BTreeMap<&str, &[&str]> = self.parts.iter().copied().collect();
        let mut violations = Vec::new();
        for (file, part, other) in edges(modules, &folder) {
            if part.is_empty() {
                continue;
            }
            match rules.get(part.as_str()) {
                None => violations.push(format!("{file}: {part} has no place among the layers yet")),
                Some(allowed) if !allowed.contains(&other.as_str()) => {
                    let other = if other.is_empty() { "the folder above it".to_owned() } else { other };
                    violations.push(format!("{file}: {part} may not import {other}"));
                }
                Some(_) => {}
            }
        }
        violations.dedup();
        violations
    }
}

/// Circles among the files and folders of each folder. A folder's own file is not counted: that it and its files import
/// from each other is how a folder shares its types.
pub fn circles(modules: &Modules) -> BTreeSet<String> {
    let folders: BTreeSet<Id> = modules
        .iter()
        .flat_map(|((member, path), _)| (0..=path.len()).map(|length| (member.clone(), path[..length].to_vec())))
        .collect();
    let mut found = BTreeSet::new();
    for folder in folders {
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, part, other) in edges(modules, &folder) {
            if !part.is_empty() && !other.is_empty() {
                imports.entry(part).or_default().insert(other);
            }
        }
        let place = [std::slice::from_ref(&folder.0), folder.1.as_slice()].concat().join("/");
        found.extend(
            imports.keys().filter_map(|start| circle_from(start, &imports)).map(|parts| format!("{place}: {parts}")),
        );
    }
    found
}

/// The shortest way from a part back to itself, if the part comes first in it by name: so each circle is named once.
fn circle_from(start: &str, imports: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut ways: Vec<Vec<&str>> = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(*way.last().expect("a way has a start")).into_iter().flatten() {
                if next == start {
                    return Some([way.as_slice(), &[start]].concat().join(" -> "));
                }
                if next.as_str() > start && seen.insert(next.as_str()) {
                    longer.push([way.as_slice(), &[next.as_str()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// The files outside `allowed` (by the start of their path) that name one of these crates.
pub fn foreign_names(modules: &Modules, crates: &[&str], allowed: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (id, module) in modules.iter() {
        if allowed.iter().any(|place| module.file.starts_with(place)) {
            continue;
        }
        for target in modules.targets(id) {
            if let Target::Foreign(name) = target
                && crates.contains(&name.as_str())
            {
                found.insert(format!("{} names {name}", module.file));
            }
        }
    }
    found
}

/// What the crate `member` imports from modules of `common` that are behind a feature.
pub fn gated_imports(modules: &Modules, member: &str) -> BTreeSet<String> {
    let gated: BTreeSet<Id> = modules
        .iter()
        .flat_map(|((owner, path), module)| {
            let gated = module.facts.gated_modules.iter();
            gated.map(|(name, _)| (owner.clone(), [path.as_slice(), std::slice::from_ref(name)].concat()))
        })
        .collect();
    let is_gated = |(owner, path): &Id| gated.iter().any(|gate| gate.0 == *owner && path.starts_with(&gate.1));
    let mut found = BTreeSet::new();
    for (id, module) in modules.iter().filter(|(id, _)| id.0 == member) {
        for target in modules.targets(id) {
            if let Target::Module(target) = target
                && is_gated(&target)
            {
                found.insert(format!("{} names {}::{}", module.file, target.0, target.1.join("::")));
            }
        }
    }
    found
}
