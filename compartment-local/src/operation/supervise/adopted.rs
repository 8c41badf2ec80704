//! Processes that left their parent, and their group: on Linux the supervisor takes the parent's place, and so finds
//! them. Elsewhere they go to the system's first process, and are not found.

#[cfg(target_os = "linux")]
pub(super) use linux::{adopt, children, end};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{adopt, children, end};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::thread::sleep;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

    /// How often processes are looked for: each that is ended may leave some that it started.
    const ROUNDS: usize = 100;

    /// From here on orphans of this process's descendants become its own children.
    pub(in super::super) fn adopt() {
        let _where_the_kernel_can = set_child_subreaper(Some(getpid()));
    }

    /// Ends all children but `spared`. To be called while no step runs: then each is one that was left behind.
    pub(in super::super) fn end(spared: &[Pid]) {
        for _ in 0..ROUNDS {
            let mut left = children();
            left.retain(|child| !spared.contains(child));
            if left.is_empty() {
                return;
            }
            for child in left {
                let _gone = kill_process(child, Signal::KILL);
                let _not_yet = waitpid(Some(child), WaitOptions::NOHANG);
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// The children of this process, whichever of its threads they are listed with.
    pub(in super::super) fn children() -> Vec<Pid> {
        let mut pids = Vec::new();
        for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
        }
        pids
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use rustix::process::Pid;

    pub(in super::super) fn adopt() {}

    pub(in super::super) fn end(_: &[Pid]) {}

    pub(in super::super) fn children() -> Vec<Pid> {
        Vec::new()
    }
}
