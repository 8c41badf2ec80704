//! Files and folders that are nobody else's: how they are made, and what is checked before a secret is believed.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The longest token, in bytes.
const TOKEN_LIMIT: usize = 4096;

/// Why a secret is not read from its file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Io {
        /// The file of the secret.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any secret of its kind.
    #[error("{} is longer than {most} bytes: it is another file", file.display())]
    TooLong {
        /// The file of the secret.
        file: PathBuf,
        /// The most bytes that are read.
        most: u64,
    },
    /// Others may read or change the file.
    #[error(
        "{} has the mode {mode:03o}, which lets other users at it: run `chmod 600` on it, and replace the secret if \
         others may have read it",
        file.display()
    )]
    Exposed {
        /// The file of the secret.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another user owns the file, and may change it.
    #[error(
        "{} belongs to the user {owner}, who may change it: give it to the user that reads it (`chown {reader}`), or to \
         root",
        file.display()
    )]
    Foreign {
        /// The file of the secret.
        file: PathBuf,
        /// The id of the user who owns it.
        owner: u32,
        /// The id of the user who wanted to read it.
        reader: u32,
    },
}

/// Who may own a file of secrets, beside the user who reads it and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody: what another user owns, that user may change.
    Trusted,
    /// Anybody: keys of certificates belong to the program that renews them.
    Any,
}

/// Reads a secret of at most `most` bytes from a file that only its owner may change, and that nobody reads but its
/// owner and the owner's group: so are the files that systemd's credentials and mounted secrets come as. Links are
/// followed. It blocks for as long as the file system does.
///
/// # Errors
/// [`SecretError`], which names the file and says what to do.
pub fn read_secret(path: &Path, owner: Owner, most: u64) -> Result<Vec<u8>, SecretError> {
    let failed = |source| SecretError::Io { file: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    check(path, &file.metadata().map_err(failed)?, owner)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > most {
        true => Err(SecretError::TooLong { file: path.to_owned(), most }),
        false => Ok(bytes),
    }
}

/// The token that a text holds, and nothing else: one word of printable ASCII characters, of at most 4096. Blanks around
/// it do not count.
#[must_use]
pub fn token(text: &str) -> Option<&str> {
    let token = text.trim();
    let fine =
        !token.is_empty() && token.len() <= TOKEN_LIMIT && token.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then_some(token)
}

/// Reads a token as [`read_secret`] reads secrets. Gives nothing where the file holds something else.
///
/// # Errors
/// [`SecretError`].
pub fn read_token(path: &Path) -> Result<Option<String>, SecretError> {
    let bytes = read_secret(path, Owner::Trusted, TOKEN_LIMIT as u64 + 100)?;
    Ok(str::from_utf8(&bytes).ok().and_then(token).map(str::to_owned))
}

#[cfg(unix)]
fn check(path: &Path, found: &Metadata, allowed: Owner) -> Result<(), SecretError> {
    use std::os::unix::fs::MetadataExt;
    let (mode, owner) = (found.mode() & 0o777, found.uid());
    if mode & 0o027 != 0 {
        return Err(SecretError::Exposed { file: path.to_owned(), mode });
    }
    let reader = rustix::process::geteuid().as_raw();
    match owner == reader || owner == 0 || allowed == Owner::Any {
        true => Ok(()),
        false => Err(SecretError::Foreign { file: path.to_owned(), owner, reader }),
    }
}

#[cfg(not(unix))]
fn check(_: &Path, _: &Metadata, _: Owner) -> Result<(), SecretError> {
    Ok(())
}

/// How files are made that are their owner's alone from their first moment. What is there keeps its mode.
#[must_use]
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file that is its owner's alone, in the place of what it held before. What is there keeps its mode.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_private(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    private_file().create(true).truncate(true).open(path)?.write_all(contents.as_ref())
}

/// Makes a folder, and those above it, for their owner alone. Those that are there keep their mode; the folder itself
/// is refused where users other than this one and root may change what is in it. Root may use anybody's folder.
///
/// # Errors
/// Where the folder is not there and cannot be made, or others may change what is in it.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    check_folder(&path.metadata()?)
}

#[cfg(unix)]
fn check_folder(found: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (mode, owner, user) = (found.mode() & 0o777, found.uid(), rustix::process::geteuid().as_raw());
    if mode & 0o022 != 0 {
        let why =
            format!("it has the mode {mode:03o}, and other users may put files into it: `chmod go-w` it");
        return Err(io::Error::other(why));
    }
    match owner == user || owner == 0 || user == 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!("it belongs to another user (of the id {owner})"))),
    }
}

#[cfg(not(unix))]
fn check_folder(_: &Metadata) -> io::Result<()> {
    Ok(())
}

/// The same for a folder of which what is in it is run, such as an agent's operations: it has to be this user's own, and
/// nobody but this user and root may put another in the place of one above it. So sshd checks the files of a user
/// (StrictModes). Gives its real path, which is to be used from here on: a link on the way may lead elsewhere later.
///
/// # Errors
/// As for [`make_private_folder`]; and where it is another user's, or one above it lets others replace what is in it.
pub fn make_trusted_folder(path: &Path) -> io::Result<PathBuf> {
    make_private_folder(path)?;
    let real = path.canonicalize()?;
    check_trusted(&real)?;
    Ok(real)
}

/// Checks a folder that is there as [`make_trusted_folder`] does.
///
/// # Errors
/// Where it cannot be looked at, is another user's, or others may replace it.
#[cfg(unix)]
pub fn check_trusted(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let folder = path.canonicalize()?;
    let user = rustix::process::geteuid().as_raw();
    for above in folder.ancestors() {
        let found = above.metadata()?;
        let (mode, owner) = (found.mode(), found.uid());
        if owner != user && owner != 0 {
            let why = format!("{} belongs to another user (of the id {owner})", above.display());
            return Err(io::Error::other(why));
        }
        // In a folder like /tmp only its owner can put something in the place of what is there.
        let is_sticky = mode & 0o1000 != 0 && above != folder;
        if mode & 0o022 != 0 && !is_sticky {
            let why = format!("other users may write to {}: `chmod go-w` it", above.display());
            return Err(io::Error::other(why));
        }
    }
    Ok(())
}

/// Checks nothing where there are no modes.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check_trusted(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn secret(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "secret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        (folder, file)
    }

    #[test]
    fn whoever_lets_others_at_a_secret_is_told() {
        for mode in 0..=0o777 {
            let (_folder, file) = secret(mode | 0o400);
            let read = read_secret(&file, Owner::Trusted, 100);
            if mode & 0o027 == 0 {
                assert_eq!(read.unwrap(), b"secret\n", "{mode:o}");
            } else {
                let refused = read.unwrap_err();
                assert!(matches!(refused, SecretError::Exposed { mode: found, .. } if found == mode | 0o400));
                assert!(refused.to_string().contains("chmod 600"), "{refused}");
            }
        }
    }

    #[test]
    fn a_link_is_as_private_as_what_it_leads_to() {
        let (folder, file) = secret(0o644);
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(matches!(read_secret(&link, Owner::Trusted, 100), Err(SecretError::Exposed { .. })));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&link, Owner::Trusted, 100).unwrap(), b"secret\n");
    }

    #[test]
    fn a_secret_of_another_user_is_refused_unless_it_is_a_key_that_somebody_renews() {
        let (_folder, file) = secret(0o600);
        if chown(&file, Some(4321), None).is_err() {
            // Only root gives files away.
            return;
        }
        let refused = read_secret(&file, Owner::Trusted, 100).unwrap_err();
        assert!(matches!(refused, SecretError::Foreign { owner: 4321, .. }), "{refused}");
        assert_eq!(read_secret(&file, Owner::Any, 100).unwrap(), b"secret\n");
    }

    #[test]
    fn what_is_too_long_or_not_there_is_said() {
        let (folder, file) = secret(0o600);
        assert!(matches!(read_secret(&file, Owner::Trusted, 6), Err(SecretError::TooLong { most: 6, .. })));
        assert_eq!(read_secret(&file, Owner::Trusted, 7).unwrap(), b"secret\n");
        let missing = read_secret(&folder.path().join("none"), Owner::Trusted, 7).unwrap_err();
        assert!(missing.to_string().contains("none cannot be read"), "{missing}");
    }

    #[test]
    fn what_is_run_is_in_a_folder_that_nobody_else_can_replace() {
        let folder = tempfile::tempdir().unwrap();
        let (above, inner) = (folder.path().join("a"), folder.path().join("a/b"));
        make_trusted_folder(&inner).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (path, mode) in [(&above, 0o777), (&above, 0o775), (&inner, 0o757), (&inner, 0o1777)] {
            set(path, mode);
            let refused = make_trusted_folder(&inner).unwrap_err().to_string();
            assert!(refused.contains("chmod go-w"), "{refused}");
            set(path, 0o755);
        }
        // Like /tmp; and a link is as good as what it leads to.
        set(&above, 0o1777);
        make_trusted_folder(&inner).unwrap();
        symlink(&inner, folder.path().join("link")).unwrap();
        make_trusted_folder(&folder.path().join("link")).unwrap();
        for path in [&above, &inner] {
            if chown(path, Some(4321), None).is_err() {
                // Only root gives files away.
                return;
            }
            let refused = make_trusted_folder(&inner).unwrap_err().to_string();
            assert!(refused.contains("belongs to another user"), "{refused}");
            chown(path, Some(0), None).unwrap();
        }
    }

    #[test]
    fn folders_and_files_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_private_folder(&inner).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&folder.path().join("a")), mode(&inner)], [0o700, 0o700]);
        for contents in ["longer", "short"] {
            write_private(&inner.join("file"), contents).unwrap();
            assert_eq!(fs::read_to_string(inner.join("file")).unwrap(), contents);
        }
        assert_eq!(mode(&inner.join("file")), 0o600);
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        make_private_folder(&inner).unwrap();
        assert_eq!(mode(&inner), 0o755);
        for others_write in [0o775, 0o757, 0o1777] {
            fs::set_permissions(&inner, fs::Permissions::from_mode(others_write)).unwrap();
            let refused = make_private_folder(&inner).unwrap_err().to_string();
            assert!(refused.contains("chmod go-w"), "{refused}");
        }
    }
}
