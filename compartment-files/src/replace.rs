//! Files that are replaced as a whole.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::private_file;

/// Puts a file that is its owner's alone in the place of whatever has this name, as a whole or not at all: a reader sees
/// one or the other, also after a power cut. `write` fills it. One writer at a time: it is made beside the file, under
/// its name with `.new` behind it, and what has that name is removed.
///
/// # Errors
/// Where it cannot be written. What was there before is there then, or, where only the folder could not be synced, the
/// new file, which a power cut may take back.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    // Of a writer that was killed, or of whoever wants to keep it open, or have it elsewhere.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = private_file().create_new(true).open(draft).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(draft, path)) {
        // It would only be in the way; and it may not be there.
        drop(fs::remove_file(draft));
        return Err(error);
    }
    sync_folder(path)
}

/// Makes durable which name a file has in its folder.
///
/// # Errors
/// Where the folder cannot be synced.
#[cfg(unix)]
pub fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Does nothing where folders cannot be opened.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (path, draft) = (folder.path().join("it"), folder.path().join("it.new"));
        replace(&path, |file| file.write_all(b"one")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let failed = replace(&path, |file| file.write_all(b"half").and(Err(io::Error::other("full"))));
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!((fs::read(&path).unwrap(), draft.exists()), (b"one".to_vec(), false));
        // What is written goes nowhere else, and is for nobody else, whatever is in its way.
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "kept").unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o666)).unwrap();
        for link in [fs::hard_link::<&Path, &Path>, |from: &Path, to: &Path| symlink(from, to)] {
            link(&elsewhere, &draft).unwrap();
            replace(&path, |file| file.write_all(b"two")).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(
                (fs::read(&path).unwrap(), fs::read(&elsewhere).unwrap()),
                (b"two".into(), b"kept".into())
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
