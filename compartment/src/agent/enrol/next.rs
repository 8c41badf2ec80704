//! What is left to do where this program starts nothing, as text to be copied.

use std::path::Path;

use compartment_local::credentials::without_credentials;
use compartment_transport_ssh::host::quote;

use super::args::Platform;
use super::machine::{Machine, Places};
use super::settings::Settings;

/// The plist for launchd, as INSTALL.md has it.
const PLIST: &str = "/Library/LaunchDaemons/compartment-agent.plist";

/// What is left: a sentence, and lines to copy.
pub(super) fn steps(settings: &Settings, places: &Places, machine: &Machine) -> (String, String) {
    let host = &settings.host;
    match settings.platform {
        Platform::Nixos if machine.is_root => (
            format!(
                "NixOS starts services by its configuration alone. Put this into that of {host}, with the module of \
                 docs/INSTALL.md, and switch once by hand. The module makes settings of its own of it: those that were \
                 written here are for `compartment agent check`."
            ),
            format!("{}\n\nsudo nixos-rebuild switch --flake .#{host}", options(settings)),
        ),
        Platform::NixDarwin if machine.is_root => (
            format!(
                "nix-darwin starts services by its configuration. Put this into that of {host}, with the module of \
                 docs/INSTALL.md, and switch once by hand."
            ),
            format!("{}\n\nsudo darwin-rebuild switch --flake .#{host}", options(settings)),
        ),
        Platform::HomeManager if !machine.is_root => (
            "home-manager starts services by its configuration. Put this into that of the home, with the module of \
             docs/INSTALL.md, and switch once by hand. On Linux, `sudo loginctl enable-linger \"$USER\"` keeps the agent \
             when you log out."
                .to_owned(),
            format!("{}\n\nhome-manager switch --flake .#{host}", options(settings)),
        ),
        Platform::Nixos | Platform::NixDarwin | Platform::HomeManager | Platform::None => by_hand(places, machine),
    }
}

fn by_hand(places: &Places, machine: &Machine) -> (String, String) {
    let run = format!("compartment agent --config {}", word(&places.config));
    if machine.is_root && cfg!(target_os = "macos") {
        let words = "launchd starts it with the machine: packaging/launchd/compartment-agent.plist of the sources names \
                     the program and the settings.";
        let lines = format!(
            "sudo install -m 0644 -o root -g wheel packaging/launchd/compartment-agent.plist {PLIST}\n\
             sudo launchctl bootstrap system {PLIST}"
        );
        return (words.to_owned(), lines);
    }
    let words = "This starts it, until it is asked to end. A service manager that starts it has to leave operations alone \
                 when it ends the agent (systemd: KillMode=process).";
    (words.to_owned(), run)
}

/// The options of the modules in nix/.
fn options(settings: &Settings) -> String {
    let mut lines = Vec::new();
    let mut say = |key: &str, value: String| lines.push(format!("  {key} = {value};"));
    let text = |path: &Path| string(&path.to_string_lossy());
    say("enable", "true".to_owned());
    say("tokenFile", text(&settings.token));
    say("settings.host", string(settings.host.as_str()));
    say("settings.state", text(&settings.state));
    say("settings.hub.url", string(&settings.hub));
    if settings.allow_plain {
        say("settings.hub.allow_plain", "true".to_owned());
    }
    if let Some(file) = &settings.ca_file {
        say("settings.hub.ca_file", text(file));
    }
    if let Some(tests) = &settings.tests {
        say("settings.tests", text(tests));
    }
    say("settings.checkout.path", text(&settings.checkout));
    if let Some(remote) = &settings.remote {
        // What is in a configuration, everybody on the machine can read.
        say("settings.checkout.remote", string(&without_credentials(remote)));
    }
    if settings.branch != "main" {
        say("settings.checkout.branch", string(&settings.branch));
    }
    format!("services.compartment.agent = {{\n{}\n}};", lines.join("\n"))
}

/// A string of Nix.
fn string(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${");
    format!("\"{text}\"")
}

fn word(path: &Path) -> String {
    let path = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    match path.chars().all(is_plain) {
        true => path.into_owned(),
        false => quote(&path).unwrap_or_default(),
    }
}
