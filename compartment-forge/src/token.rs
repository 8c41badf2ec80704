//! The credential of a forge, kept out of everything that people read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_runtime::{SecretError, read_token, token};

/// A token, or the file that it is in. Nothing that it prints holds the token.
#[derive(Clone)]
pub struct Token(Source);

#[derive(Clone)]
enum Source {
    Given(Arc<str>),
    File(PathBuf),
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read, or is not its owner's alone.
    #[error("the token: {0}")]
    File(#[from] SecretError),
    /// The variable is not there.
    #[error("the variable {0} has no token")]
    Variable(String),
    /// What there is, is none.
    #[error("what is in {0} is no token: one line of printable ASCII characters is expected")]
    NoToken(String),
}

impl Token {
    /// From a file of one line. It is read anew for each use: a token that is replaced there needs no restart.
    ///
    /// # Errors
    /// [`TokenError`] where there is none now.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let token = Self(Source::File(file.into()));
        token.reveal()?;
        Ok(token)
    }

    /// From a variable of the environment.
    ///
    /// # Errors
    /// [`TokenError`] where there is none.
    pub fn from_variable(name: &str) -> Result<Self, TokenError> {
        let value = std::env::var(name).map_err(|_| TokenError::Variable(name.to_owned()))?;
        Self::given(&value).map_err(|_| TokenError::NoToken(format!("the variable {name}")))
    }

    /// This one.
    ///
    /// # Errors
    /// [`TokenError::NoToken`].
    pub fn given(token: &str) -> Result<Self, TokenError> {
        match self::token(token) {
            Some(token) => Ok(Self(Source::Given(token.into()))),
            None => Err(TokenError::NoToken("what was given".to_owned())),
        }
    }

    /// Where it comes from, for messages.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Source::Given(_) => None,
            Source::File(file) => Some(file),
        }
    }

    /// The token itself.
    pub(crate) fn reveal(&self) -> Result<Arc<str>, TokenError> {
        match &self.0 {
            Source::Given(token) => Ok(Arc::clone(token)),
            Source::File(file) => {
                let token =
                    read_token(file)?.ok_or_else(|| TokenError::NoToken(file.display().to_string()))?;
                Ok(token.into())
            }
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Given(_) => f.write_str("Token(…)"),
            Source::File(file) => f.debug_tuple("Token").field(file).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use compartment_runtime::write_private;

    use super::*;

    #[test]
    fn it_is_shown_to_nobody() {
        let token = Token::given("ghp_secret\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(&*token.reveal().unwrap(), "ghp_secret");
        for none in ["", " \n", "two words", "two\nlines", "umläut"] {
            let error = Token::given(none).unwrap_err().to_string();
            assert!(error.starts_with("what is in what was given is no token"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(Token::from_file(&file).unwrap_err().to_string().contains("cannot be read"));
        write_private(&file, "one\n").unwrap();
        let token = Token::from_file(&file).unwrap();
        write_private(&file, "two\n").unwrap();
        assert_eq!(&*token.reveal().unwrap(), "two");
        assert_eq!(format!("{token:?}"), format!("Token({file:?})"));
    }
}
