//! Where a rollback goes: a generation that is there.

use compartment_core::Text;
use compartment_core::event::Target;

use crate::host::Generation;

/// The asked target as the host has it: with the number that its path has there, and the path of its number, so that
/// afterwards the running system can be held against it.
///
/// # Errors
/// In words: the host does not have it (any more).
pub(super) fn target(asked: &Target, there: &[Generation]) -> Result<Target, Text> {
    // Whoever keeps no profile that can be listed is judged by what runs afterwards.
    if there.is_empty() {
        return Ok(asked.clone());
    }
    let by_number = |generation: &&Generation| Some(generation.number) == asked.number;
    let found = match &asked.path {
        Some(path) => {
            let mut same = there.iter().filter(|generation| generation.path.as_ref() == Some(path));
            // One system may have several numbers; the asked one counts.
            let first = same.clone().next_back();
            same.find(by_number).or(first)
        }
        None => there.iter().find(by_number),
    };
    match found {
        Some(Generation { number, path, .. }) => {
            Ok(Target { number: Some(*number), path: path.clone().or_else(|| asked.path.clone()) })
        }
        None => {
            let what = match (&asked.number, &asked.path) {
                (_, Some(path)) => path.to_string(),
                (Some(number), None) => format!("generation {number}"),
                (None, None) => "a generation without a name".to_owned(),
            };
            let numbers: Vec<_> = there.iter().map(|generation| generation.number.to_string()).collect();
            Err(Text::new(&format!("{what} is not on the host (any more); it has {}", numbers.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use compartment_core::StorePath;
    use compartment_core::event::GenerationNumber;

    use super::*;

    fn asked(number: u32, path: &str) -> Target {
        Target { number: GenerationNumber::new(number), path: StorePath::new(path).ok() }
    }

    fn there(all: &[(u32, &str)]) -> Vec<Generation> {
        let generation = |(number, path): &(u32, &str)| Generation {
            number: GenerationNumber::new(*number).unwrap(),
            path: StorePath::new(path).ok(),
            current: false,
        };
        all.iter().map(generation).collect()
    }

    #[test]
    fn it_is_what_the_host_has() {
        let host = there(&[(9, "/nix/a"), (10, "/nix/b"), (11, "/nix/a"), (12, "")]);
        for (wanted, found) in [
            (asked(10, ""), asked(10, "/nix/b")),
            (asked(0, "/nix/b"), asked(10, "/nix/b")),
            // Its number has changed: the path is what it is.
            (asked(3, "/nix/b"), asked(10, "/nix/b")),
            (asked(9, "/nix/a"), asked(9, "/nix/a")),
            (asked(0, "/nix/a"), asked(11, "/nix/a")),
            (asked(12, ""), asked(12, "")),
        ] {
            assert_eq!(target(&wanted, &host), Ok(found), "{wanted:?}");
        }
        assert_eq!(target(&asked(3, ""), &[]), Ok(asked(3, "")));
    }

    #[test]
    fn what_is_gone_is_said() {
        let host = there(&[(9, "/nix/a"), (10, "/nix/b")]);
        for (wanted, words) in [
            (asked(3, ""), "generation 3 is not on the host (any more); it has 9, 10"),
            (asked(9, "/nix/c"), "/nix/c is not on the host (any more); it has 9, 10"),
            (asked(0, ""), "a generation without a name is not on the host (any more); it has 9, 10"),
        ] {
            assert_eq!(target(&wanted, &host), Err(Text::new(words)));
        }
    }
}
