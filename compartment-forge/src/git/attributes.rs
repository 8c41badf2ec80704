//! The attributes by which files are merged: those of the branch that is merged into. git reads them from a work tree, and
//! the mirror has none.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use compartment_core::Commit;

use super::mirror::Call;
use super::trouble::Trouble;

/// What files of attributes are called, in whatever folder.
const NAME: &str = ".gitattributes";

/// A folder with nothing but the files of attributes of a commit. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Attributes(PathBuf);

impl Attributes {
    /// The folder: for git to run in, as its work tree.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // The next one begins anew, whatever is there.
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl Call<'_> {
    /// The attributes of a commit. `None` where it has none. They are kept while this call lasts, or until those of another
    /// commit are asked for: many pull requests go into one branch.
    pub(super) fn attributes(&self, of: &Commit) -> Result<Option<Rc<Attributes>>, Trouble> {
        let mut kept = self.attributes.borrow_mut();
        if let Some((known, attributes)) = &*kept
            && known == of
        {
            return Ok(attributes.clone());
        }
        // Their folder is gone before the next one is made.
        *kept = None;
        let attributes = self.written(of)?.map(Rc::new);
        *kept = Some((*of, attributes.clone()));
        Ok(attributes)
    }

    fn written(&self, of: &Commit) -> Result<Option<Attributes>, Trouble> {
        let listed = self.ok(&["ls-tree", "-r", "-z", "--full-tree", &of.to_string()])?;
        let listed = String::from_utf8_lossy(&listed);
        let files: Vec<(&str, &Path)> = listed.split('\0').filter_map(entry).collect();
        if files.is_empty() {
            return Ok(None);
        }
        let folder = self.setup.config.folder.join("attributes");
        let failed = |error: io::Error| {
            Trouble::unreachable(&format!("cannot write to {}: {error}", folder.display()))
        };
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let attributes = Attributes(folder.clone());
        for (blob, path) in files {
            // git makes no such trees, and takes none over the network: another program may.
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(Trouble::refused(&format!("the tree of {} has an impossible path", of.short())));
            }
            let file = folder.join(path);
            compartment_runtime::make_private_folder(file.parent().unwrap_or(&folder)).map_err(failed)?;
            fs::write(&file, self.bytes(blob)?).map_err(failed)?;
        }
        Ok(Some(attributes))
    }
}

/// The blob and the path of a file of attributes, in a line of `ls-tree`. git follows no link of that name.
fn entry(line: &str) -> Option<(&str, &Path)> {
    let (about, path) = line.split_once('\t')?;
    let path = Path::new(path);
    let mut words = about.split(' ');
    let is_file = words.next()?.starts_with("100") && words.next()? == "blob";
    words
        .next()
        .filter(|_| is_file && path.file_name().is_some_and(|name| name == NAME))
        .map(|blob| (blob, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_attributes_are_told_from_others() {
        let found = |line| entry(line).map(|(blob, path)| (blob, path.to_str().unwrap()));
        assert_eq!(found("100644 blob abc\t.gitattributes"), Some(("abc", ".gitattributes")));
        assert_eq!(found("100644 blob abc\ta b/.gitattributes"), Some(("abc", "a b/.gitattributes")));
        for other in
            ["100644 blob abc\ta.gitattributes", "120000 blob abc\t.gitattributes", "100644 blob abc\tx", ""]
        {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
