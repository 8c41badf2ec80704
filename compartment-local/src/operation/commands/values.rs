//! What an order and the machine say, in the place of placeholders.

use compartment_core::HostId;
use compartment_core::event::Target;

use super::{Program, Refused};
use crate::operation::template::{Slot, Template};

/// What fills the gaps of a command.
pub(super) struct Values<'a> {
    pub(super) host: &'a HostId,
    pub(super) checkout: Option<&'a str>,
    pub(super) to: Option<&'a Target>,
}

impl Values<'_> {
    fn of(&self, slot: Slot) -> Result<String, Refused> {
        let target = |known: Option<String>| {
            known.ok_or_else(|| match self.to {
                Some(_) => Refused::because(&format!(
                    "the command needs {slot}, and the generation to go to has none"
                )),
                None => Refused::because(&format!(
                    "the command needs {slot}, and no generation to go to is named"
                )),
            })
        };
        match slot {
            Slot::Host => Ok(self.host.to_string()),
            Slot::Checkout => self.checkout.map(str::to_owned).ok_or_else(no_checkout),
            Slot::Number => target(self.to.and_then(|to| Some(to.number?.to_string()))),
            Slot::Path => target(self.to.and_then(|to| Some(to.path.as_ref()?.to_string()))),
        }
    }

    pub(super) fn argv(&self, program: &Program) -> Result<Vec<String>, Refused> {
        let argv: Vec<_> =
            program.iter().map(|argument| argument.fill(|slot| self.of(slot))).collect::<Result<_, _>>()?;
        // An order may name a generation of the store, and nothing else that would be run.
        match (program.first().and_then(Template::begins_with), argv.first()) {
            (Some(Slot::Path), Some(run)) if !in_store(run) => {
                Err(Refused::because(&format!("{run} is not in the Nix store, and is not run")))
            }
            _ => Ok(argv),
        }
    }
}

/// Whether a path names something in the Nix store, and stays there.
fn in_store(path: &str) -> bool {
    let inside = path.strip_prefix("/nix/store/").unwrap_or_default();
    inside.contains('/') && inside.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

pub(super) fn no_checkout() -> Refused {
    Refused::because("this host has no checkout; configure the folder of its clone of the config repository")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_store_is_run_by_its_path() {
        for path in ["/nix/store/aaa-hm/activate", "/nix/store/aaa/bin/x"] {
            assert!(in_store(path), "{path}");
        }
        for path in [
            "/nix/store/activate",
            "/nix/store/../../tmp/activate",
            "/nix/store/a/../../../tmp/activate",
            "/nix/store//activate",
            "/nix/storee/a/activate",
            "/tmp/nix/store/a/activate",
            "/tmp/x/activate",
            "",
        ] {
            assert!(!in_store(path), "{path}");
        }
    }
}
