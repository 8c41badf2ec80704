//! Which pull requests bring new dependencies.

/// What makes a pull request an update of the lock: any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updates {
    /// It has one of these labels, where the forge knows labels.
    pub labels: Vec<String>,
    /// Its title contains one of these, upper or lower case.
    pub titles: Vec<String>,
    /// It changes `flake.lock`.
    pub changed_lock: bool,
}

impl Default for Updates {
    /// Whatever changes `flake.lock`.
    fn default() -> Self {
        Self { labels: Vec::new(), titles: Vec::new(), changed_lock: true }
    }
}

impl Updates {
    /// Whether its label or its title says that it is one: then nobody has to read its files.
    #[must_use]
    pub fn named(&self, title: &str, labels: impl IntoIterator<Item: AsRef<str>>) -> bool {
        let title = title.to_lowercase();
        self.titles.iter().any(|part| title.contains(&part.to_lowercase()))
            || labels.into_iter().any(|label| self.labels.iter().any(|wanted| wanted == label.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_or_a_title_names_an_update() {
        let updates = Updates {
            labels: vec!["dependencies".to_owned()],
            titles: vec!["flake.lock".to_owned()],
            changed_lock: false,
        };
        assert!(updates.named("Anything", ["x", "dependencies"]));
        assert!(updates.named("chore: Flake.Lock of the week", ["x"]));
        assert!(!updates.named("Anything", ["Dependencies"]));
        assert!(!Updates::default().named("flake.lock", ["dependencies"]));
    }
}
