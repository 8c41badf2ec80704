//! Where ssh keeps the key that it knows of a host.

use std::process::Stdio;
use std::time::Duration;

use compartment_core::Text;
use tokio::time::timeout;

use super::{Destination, Ssh};
use crate::host::quote;

/// How long ssh may take to say how it is configured: it asks nobody but this machine.
const WITHIN: Duration = Duration::from_secs(2);

/// The command that forgets the key. It is made from ssh's own configuration: a host may print what looks like ssh's
/// advice, and people are not to run what a host wants.
pub(super) async fn forget(ssh: &Ssh, destination: &Destination) -> Text {
    let mut command = super::exec::program();
    command.args(ssh.arguments()).args(["-G", "--"]).arg(destination.as_str());
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let printed = match timeout(WITHIN, command.output()).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    Text::new(&by_configuration(&printed, destination))
}

fn by_configuration(printed: &str, destination: &Destination) -> String {
    let said = |key: &str| {
        let value = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.filter(|value| !value.is_empty() && *value != "none")
    };
    let host = match (said("hostkeyalias"), said("hostname"), said("port")) {
        (Some(alias), ..) => alias.to_owned(),
        (None, Some(host), None | Some("22")) => host.to_owned(),
        (None, Some(host), Some(port)) => format!("[{host}]:{port}"),
        (None, None, _) => destination.as_str().to_owned(),
    };
    let file = said("userknownhostsfile").and_then(|files| files.split(' ').next());
    let word = |value: &str| quote(value).unwrap_or_default();
    let file = file.map_or(String::new(), |file| format!("-f {} ", word(file)));
    format!("ssh-keygen {file}-R {}", word(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_where_ssh_looks() {
        let destination = Destination::new("me@gpc0").unwrap();
        for (printed, command) in [
            ("", "ssh-keygen -R 'me@gpc0'"),
            ("hostname gpc0.lan\nport 22\n", "ssh-keygen -R 'gpc0.lan'"),
            (
                "hostname ::1\nport 2\nuserknownhostsfile /a /b\nhostkeyalias none\n",
                "ssh-keygen -f '/a' -R '[::1]:2'",
            ),
            ("hostname h\nport 2\nhostkeyalias it's\n", r"ssh-keygen -R 'it'\''s'"),
        ] {
            assert_eq!(by_configuration(printed, &destination), command);
        }
    }
}
