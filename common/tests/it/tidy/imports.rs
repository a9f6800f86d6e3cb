//! Which module names which: the paths of all source files, resolved to the modules of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Facts, Path, read};

/// A chain of re-exports longer than this is a circle.
const MAX_REEXPORTS: usize = 8;

/// The modules of the workspace by crate and path: `("server", ["video", "store"])`.
pub struct Modules(BTreeMap<Id, Module>);

/// Crate and path of a module.
pub type Id = (String, Path);

pub struct Module {
    /// From the workspace's root, with slashes.
    pub file: String,
    pub facts: Facts,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A module of the workspace, or something in it.
    Module(Id),
    /// A crate from outside.
    Foreign(String),
}

/// The crate and module of `server/src/video/store/mod.rs`. A program's own file and modules beside `main.rs` count as
/// modules of the library, because that is how they are meant; `main.rs` itself is the module `main`.
fn id_of(file: &str) -> Option<Id> {
    let (member, path) = file.split_once("/src/")?;
    let path = path.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let segments = if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() };
    Some((member.to_owned(), segments))
}

fn child(parent: &Id, name: &str) -> Id {
    (parent.0.clone(), [parent.1.as_slice(), &[name.to_owned()]].concat())
}

/// The member whose library has this name.
fn member(library: &str) -> Option<&'static str> {
    match library {
        "common" => Some("common"),
        "triptych_server" => Some("server"),
        "triptych_client" => Some("gui-client"),
        _ => None,
    }
}

impl Modules {
    /// Takes files by path and text; those outside `src` and those of tests are left out.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut modules = BTreeMap::new();
        for (file, text) in files {
            let Some((member, path)) = id_of(file) else { continue };
            for (inner, facts) in read(text) {
                let id = (member.clone(), [path.as_slice(), &inner].concat());
                modules.insert(id, Module { file: file.to_owned(), facts });
            }
        }
        let of_tests: BTreeSet<Id> = modules
            .iter()
            .flat_map(|((member, path), module)| {
                module.facts.test_modules.iter().map(|name| child(&(member.clone(), path.clone()), name))
            })
            .collect();
        modules.retain(|id, _| !of_tests.contains(id));
        Self(modules)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Module)> {
        self.0.iter()
    }

    /// Everything that a module names, without repetition, and not itself.
    pub fn targets(&self, id: &Id) -> BTreeSet<Target> {
        let resolved = self.0[id].facts.paths.iter().filter_map(|path| self.resolve(id, path, MAX_REEXPORTS));
        resolved.filter(|target| *target != Target::Module(id.clone())).collect()
    }

    fn resolve(&self, from: &Id, path: &[String], reexports: usize) -> Option<Target> {
        let ((member_name, module), first) = (from, path.first()?);
        // Modules beside `main.rs` are its children.
        let parent = if *module == ["main"] { (member_name.clone(), Path::new()) } else { from.clone() };
        let is_child = |name: &String| self.0.contains_key(&child(&parent, name));
        match first.as_str() {
            "crate" => self.walk((member_name.clone(), Path::new()), &path[1..], reexports),
            "self" => self.walk(from.clone(), &path[1..], reexports),
            "super" => {
                let parent = module[..module.len().saturating_sub(1)].to_vec();
                self.walk_up((member_name.clone(), parent), &path[1..], reexports)
            }
            _ if is_child(first) => self.walk(parent, path, reexports),
            library if member(library).is_some_and(|member| self.0.contains_key(&(member.into(), Path::new()))) => {
                self.walk((member(library)?.to_owned(), Path::new()), &path[1..], reexports)
            }
            name => {
                let imported = self.0.get(from).and_then(|module| module.facts.imports.get(name));
                match imported.filter(|imported| imported.as_slice() != path && reexports > 0) {
                    Some(imported) => self.resolve(from, &[imported, &path[1..]].concat(), reexports - 1),
                    None => Some(Target::Foreign(name.to_owned())),
                }
            }
        }
    }

    fn walk_up(&self, id: Id, path: &[String], reexports: usize) -> Option<Target> {
        match path.first().map(String::as_str) {
            Some("super") => self.resolve(&id, path, reexports),
            _ => self.walk(id, path, reexports),
        }
    }

    /// Follows `path` down from a module as far as modules and re-exports go.
    fn walk(&self, id: Id, path: &[String], reexports: usize) -> Option<Target> {
        let Some(name) = path.first() else { return Some(Target::Module(id)) };
        let child = child(&id, name);
        if self.0.contains_key(&child) {
            return self.walk(child, &path[1..], reexports);
        }
        match self.0.get(&id).and_then(|module| module.facts.imports.get(name)) {
            Some(imported) if reexports > 0 => self.resolve(&id, &[imported, &path[1..]].concat(), reexports - 1),
            _ => Some(Target::Module(id)),
        }
    }
}
