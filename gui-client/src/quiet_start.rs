//! Graphics drivers write caches into the folder of the user, and are told not to only by their environment. The program promises
//! to write nothing but keys, known servers and people, and settings; so it sets these variables and starts itself once more in
//! its own place, before anything else. Setting them in the running program would be `unsafe`.

#[cfg(unix)]
use std::{env, os::unix::process::CommandExt, process::Command};

/// What keeps Mesa and the driver of NVIDIA from writing compiled shaders to the disk. The window has two, which compile in a
/// few milliseconds.
#[cfg(unix)]
const VARIABLES: [(&str, &str); 2] = [("MESA_SHADER_CACHE_DISABLE", "true"), ("__GL_SHADER_DISK_CACHE", "0")];

/// Starts the program again with the variables that are not set. Returns if all are, or if that fails: the window then opens
/// all the same.
#[cfg(unix)]
pub(crate) fn keep_drivers_from_writing() {
    let missing: Vec<_> = VARIABLES.into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    let Ok(program) = env::current_exe() else { return };
    if missing.is_empty() {
        return;
    }
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // On success this does not return: the process goes on as the new program, under the same number.
    let error = command.args(arguments).envs(missing).exec();
    eprintln!("Graphics drivers may write caches, because the program cannot be started anew: {error}");
}

/// Other systems have neither these drivers nor a way to go on as another program.
#[cfg(not(unix))]
pub(crate) fn keep_drivers_from_writing() {}
