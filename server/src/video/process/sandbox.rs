//! Takes from a worker process what decoding does not need. Best effort: what a system lacks is reported, not refused.
//!
//! * Limits: memory, descriptors, no core dumps, and it is the first that is ended when memory runs out.
//! * landlock: no files but the system's libraries, the list of plugins, and the videos; nothing to be written.
//! * seccomp: a list of calls that are denied, in `denied_calls`. Not a list of those that are allowed: that one would
//!   have to follow every new version of the C library and of GStreamer.
//!
//! There is no rule against memory that is both written and executed, because ORC, which converts pictures and sound for
//! GStreamer, compiles its code while it runs.

use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use self::linux as system;

/// Takes access to files, and sets the limits, of this thread and of those that it starts from now on. Returns whether
/// access to files is limited.
pub(super) fn enter(readable: &[PathBuf], writable: Option<&Path>) -> bool {
    #[cfg(target_os = "linux")]
    {
        system::set_limits();
        system::limit_files(readable, writable).unwrap_or(false)
    }
    #[cfg(not(target_os = "linux"))]
    {
        tracing::debug!("no limits for {} files and {writable:?}", readable.len());
        false
    }
}

/// Denies calls, for all threads. Returns whether it could.
pub(super) fn deny_calls() -> bool {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        super::denied_calls::deny().is_ok()
    }
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        false
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{env, fs};

    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
        path_beneath_rules,
    };
    use rustix::process::{
        DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal, setrlimit,
    };

    use super::{Path, PathBuf};

    /// Address space. A decoder of 8K with its threads uses a third of it; mimalloc reserves some without using it.
    const MEMORY_BYTES: u64 = 8 << 30;

    /// Open files. A pipeline takes about twenty, and a process has up to four.
    const DESCRIPTORS: u64 = 128;

    /// The newest version of landlock that this file knows. Older kernels do less of it.
    const LANDLOCK: ABI = ABI::V6;

    /// Where systems keep libraries and plugins, and what the dynamic loader and the C library read.
    const SYSTEM_PATHS: [&str; 12] = [
        "/usr",
        "/lib",
        "/lib64",
        "/opt",
        "/nix/store",
        "/gnu/store",
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/alternatives",
        "/dev/null",
        "/dev/urandom",
        "/sys/devices/system/cpu",
    ];

    /// Variables that name further places of plugins and of their list, separated by colons.
    const PATH_VARIABLES: [&str; 6] = [
        "GST_PLUGIN_PATH",
        "GST_PLUGIN_PATH_1_0",
        "GST_PLUGIN_SYSTEM_PATH",
        "GST_PLUGIN_SYSTEM_PATH_1_0",
        "GST_REGISTRY",
        "LD_LIBRARY_PATH",
    ];

    /// Sets limits that hold for the whole process. Each helps by itself, so one that cannot be set is only noted.
    pub(super) fn set_limits() {
        let limit = |resource, limit| {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            note(setrlimit(resource, limit));
        };
        // The server's own end closes the socket, which ends this process too; this is for a process that ignores that.
        note(set_parent_process_death_signal(Some(Signal::KILL)));
        note(set_dumpable_behavior(DumpableBehavior::NotDumpable));
        limit(Resource::Core, 0);
        limit(Resource::Nofile, DESCRIPTORS);
        limit(Resource::As, MEMORY_BYTES);
        note(fs::write("/proc/self/oom_score_adj", "1000"));
    }

    fn note<E: std::fmt::Display>(outcome: Result<(), E>) {
        if let Err(error) = outcome {
            tracing::debug!("a limit of a worker process cannot be set: {error}");
        }
    }

    /// Leaves access to these files and folders only. Returns whether the kernel can do that.
    pub(super) fn limit_files(readable: &[PathBuf], writable: Option<&Path>) -> Result<bool, RulesetError> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let (system, plugins) = (path_beneath_rules(SYSTEM_PATHS, read), path_beneath_rules(plugin_paths(), read));
        let videos = path_beneath_rules(readable, AccessFs::ReadFile);
        let write = AccessFs::from_all(LANDLOCK) & !AccessFs::Execute;
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?
            .add_rules(system)?
            .add_rules(plugins)?
            .add_rules(videos)?
            .add_rules(path_beneath_rules(writable, write))?
            .restrict_self()?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// The list of plugins, and the plugins of the user.
    fn plugin_paths() -> Vec<PathBuf> {
        let named = PATH_VARIABLES.iter().filter_map(env::var_os);
        let mut paths: Vec<_> = named.flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>()).collect();
        let home = env::var_os("HOME").map(PathBuf::from);
        let folder = |variable, usual: &str| {
            let set = env::var_os(variable).map(PathBuf::from);
            set.or_else(|| home.as_ref().map(|home| home.join(usual))).map(|folder| folder.join("gstreamer-1.0"))
        };
        paths.extend(folder("XDG_CACHE_HOME", ".cache"));
        paths.extend(folder("XDG_DATA_HOME", ".local/share"));
        // A variable may name no place at all, or the root of everything.
        paths.retain(|path| path.is_absolute() && path.parent().is_some());
        paths
    }
}
