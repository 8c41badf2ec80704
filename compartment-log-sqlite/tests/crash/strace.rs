//! Traces a victim's calls, and injects faults into them.

use std::collections::BTreeMap;
use std::path::Path;

/// The tracer's command line, to be followed by the program's.
pub(crate) fn command(output: &Path, options: &[&str]) -> Vec<String> {
    let output = output.to_str().unwrap();
    let fixed = ["strace", "-f", "-qq", "-o", output];
    fixed.iter().chain(options).map(|word| (*word).to_owned()).collect()
}

/// The file of the call in which a thread was killed: the first that made its `when`th.
pub(crate) fn file_of(trace: &str, call: &str, when: u64) -> Option<String> {
    let mut made: BTreeMap<&str, u64> = BTreeMap::new();
    let begun = format!(" {call}(");
    let calls = trace.lines().filter(|line| line.contains(&begun));
    let died = calls.filter(|line| {
        let count = made.entry(line.split(' ').next().unwrap()).or_default();
        *count += 1;
        *count == when
    });
    let arguments = died.last()?.split_once('(')?.1;
    let quoted = arguments.split('"').skip(1).step_by(2).last();
    // A file descriptor with its path, or the last path that is named.
    let descriptor = arguments.split_once('<').filter(|(number, _)| number.parse::<u32>().is_ok());
    let path = descriptor.and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
    path.or(quoted).map(str::to_owned)
}
