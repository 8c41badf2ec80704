//! Which log this is: hosts keep what ended for the log that it was ordered for.

use std::fs;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

use compartment_transport_ssh::host::LogId;
use tempfile::NamedTempFile;

/// The file's name, in the folder of the log.
const FILE_NAME: &str = "log-id";

/// The id of the log in this folder, as it was when there was first one; without a folder, of one that ends with this
/// program.
pub(super) fn log_id(data: Option<&Path>) -> std::io::Result<LogId> {
    let Some(data) = data else { return Ok(LogId::random()) };
    let file = data.join(FILE_NAME);
    match fs::read_to_string(&file) {
        Ok(id) => LogId::new(id.trim_end()).map_err(|error| {
            let words = format!("{}: {error}; put back what was there, or remove the file: what hosts still keep for this log is then lost", file.display());
            Error::new(ErrorKind::InvalidData, words)
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = LogId::random();
            fs::create_dir_all(data)?;
            let mut new = NamedTempFile::new_in(data)?;
            writeln!(new, "{}", id.as_str())?;
            new.as_file().sync_all()?;
            // Who was quicker says which log it is.
            match new.persist_noclobber(&file) {
                Ok(_) => Ok(id),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => log_id(Some(data)),
                Err(error) => Err(error.error),
            }
        }
        Err(error) => Err(Error::new(error.kind(), format!("cannot read {}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_id_and_nothing_else_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new");
        let id = log_id(Some(&data)).unwrap();
        assert_eq!(log_id(Some(&data)).unwrap(), id);
        assert_ne!(log_id(None).unwrap(), log_id(None).unwrap());
        fs::write(data.join(FILE_NAME), "nonsense!").unwrap();
        let words = log_id(Some(&data)).unwrap_err().to_string();
        assert!(words.contains("log-id: ") && words.contains("remove the file"), "{words}");
    }
}
