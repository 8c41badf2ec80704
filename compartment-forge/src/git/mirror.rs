//! The mirror: a bare repository that holds what was seen of the remote, and how git is called in it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use compartment_core::{ChannelName, Commit, Text};
use compartment_local::credentials::without_credentials;
use compartment_local::git::{Git, GitError};
use compartment_local::run::{Output, Progress, Stop};
use compartment_runtime::ForgeError;

use super::address::Address;
use super::attributes::Attributes;
use super::config::{GitConfig, GitForgeError, Identity, is_pattern, is_ref};
use super::trouble::Trouble;

/// What the remote is called where git is told of it: no argument holds its address.
pub(super) const REMOTE: &str = "compartment-mirror";

/// Where channels' branches are kept in the mirror.
pub(super) const CHANNELS: &str = "refs/compartment/channels/";

/// Where pull requests are kept in it, by the number of their pattern.
pub(super) const PULL_REQUESTS: &str = "refs/compartment/pull-requests/";

/// The variables that the credential helper reads.
const USER: &str = "COMPARTMENT_FORGE_USER";
const TOKEN: &str = "COMPARTMENT_FORGE_TOKEN";

/// How long one call may take, however much git has to say.
pub(super) const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// How often another process that uses the mirror is waited for again.
pub(super) const WAIT: Duration = Duration::from_millis(20);

/// What stays the same from call to call.
pub(super) struct Setup {
    pub(super) config: GitConfig,
    /// How far git is.
    pub(super) progress: Progress,
    /// The remote, as people may see it.
    pub(super) remote: String,
    /// In the mirror.
    git: Git,
    /// In the mirror; what is made there goes to [`scratch`](Self::scratch).
    trying: Git,
    /// In no repository.
    pub(super) outside: Git,
    mirror: PathBuf,
    /// Where objects are that nobody needs after a look.
    scratch: PathBuf,
    /// What no error may hold.
    secrets: Vec<String>,
}

/// How the objects of a repository are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Sha1,
    Sha256,
}

impl Format {
    /// What git says where the remote's is another than the mirror's.
    fn asked_for(error: &GitError) -> Option<Self> {
        let words = error.to_string();
        let (_, formats) = words.split_once("mismatched algorithms: ")?;
        Some(if formats.contains("server sha256") { Self::Sha256 } else { Self::Sha1 })
    }
}

impl Setup {
    /// Checks what it is told, and that git works.
    pub(super) fn new(config: GitConfig, stop: Stop) -> Result<Self, GitForgeError> {
        for branch in config.channels.values() {
            if !is_ref(branch) {
                return Err(GitForgeError::Branch(branch.clone()));
            }
        }
        if let Some(refs) = config.pull_requests.iter().find(|refs| !is_pattern(&refs.pattern)) {
            return Err(GitForgeError::Pattern(refs.pattern.clone()));
        }
        let address = Address::new(&config.remote)?;
        let folder = |source| GitForgeError::Folder { folder: config.folder.clone(), source };
        compartment_runtime::make_private_folder(&config.folder).map_err(folder)?;
        // git runs in folders within it, and is told of others.
        let whole = config.folder.canonicalize().map_err(folder)?;
        let config = GitConfig { folder: whole, ..config };
        let mirror = config.folder.join("mirror.git");
        let progress = Progress::new(config.silence);
        let mut git = Git::of_the_user(stop).within(config.silence).heard(progress.clone());
        old_enough(&git.line(&config.folder, &["version"])?)?;
        for (key, value) in SETTINGS {
            git = git.configured(key, value);
        }
        git = git.configured(&format!("remote.{REMOTE}.url"), &address.bare);
        let mut secrets = Vec::new();
        if let (Some(origin), Some(user)) = (&address.origin, &address.user) {
            git = git.configured(&format!("credential.{origin}.username"), user);
        }
        if let (Some(origin), Some(credential)) =
            (&address.origin, config.credential.as_ref().or(address.credential.as_ref()))
        {
            if address.is_in_the_clear() {
                return Err(GitForgeError::Plain(address.bare.clone()));
            }
            if [&credential.user, &credential.token].iter().any(|part| part.contains(['\n', '\r', '\0'])) {
                return Err(GitForgeError::Credential);
            }
            let helper = format!("credential.{origin}.helper");
            let say = format!(
                r#"!f() {{ test "$1" = get && printf 'username=%s\npassword=%s\n' "${USER}" "${TOKEN}"; }}; f"#
            );
            git = git
                .configured(&helper, "")
                .configured(&helper, say)
                .with(USER, &credential.user)
                .with(TOKEN, &credential.token);
            secrets.push(credential.token.clone());
        }
        let git = identified(git, &config)?;
        let remote = without_credentials(&address.bare);
        let outside = mirror.parent().unwrap_or(&config.folder).parent().map(Path::to_path_buf);
        let outside = git.clone().with("GIT_CEILING_DIRECTORIES", outside.unwrap_or_default());
        let git = git.with("GIT_DIR", mirror.as_os_str());
        let scratch = mirror.with_file_name("scratch");
        let trying = git
            .clone()
            .with("GIT_OBJECT_DIRECTORY", &scratch)
            .with("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&mirror.join("objects")));
        Ok(Self { config, progress, remote, git, trying, outside, mirror, scratch, secrets })
    }

    /// Without what no error may hold.
    pub(super) fn redacted(&self, error: ForgeError) -> ForgeError {
        let clean = |words: &Text| self.clean(words.as_str());
        match error {
            ForgeError::Refused(words) => ForgeError::Refused(clean(&words)),
            ForgeError::Unreachable(words) => ForgeError::Unreachable(clean(&words)),
            ForgeError::Limited { reason, wait } => ForgeError::Limited { reason: clean(&reason), wait },
        }
    }

    /// Words without secrets: a remote may repeat what it was told.
    pub(super) fn clean(&self, words: &str) -> Text {
        let mut clean = without_credentials(words);
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            clean = clean.replace(secret, "…");
        }
        Text::new(&clean)
    }
}

/// What of the user's own configuration would be in the way.
const SETTINGS: [(&str, &str); 8] = [
    ("core.commentChar", "#"),
    ("core.hooksPath", "/dev/null"),
    ("i18n.commitEncoding", "UTF-8"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    ("trailer.separators", ":"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.autoDetach", "false"),
];

fn old_enough(version: &str) -> Result<(), GitForgeError> {
    let mut numbers = version.trim_start_matches("git version ").split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (2, 38) => Ok(()),
        _ => Err(GitForgeError::TooOld(version.to_owned())),
    }
}

/// As git reads it in a list of paths.
fn quoted(path: &Path) -> OsString {
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        quoted.extend([b'\\'].iter().filter(|_| matches!(byte, b'"' | b'\\')));
        quoted.push(*byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

/// Who the config names, else the user, else this program.
fn identified(git: Git, config: &GitConfig) -> Result<Git, GitForgeError> {
    let asked = git.clone().configured("user.useConfigOnly", "true");
    let identity = match &config.identity {
        Some(identity) => identity.clone(),
        None if asked.call(&config.folder, &["var", "GIT_COMMITTER_IDENT"])?.success() => return Ok(git),
        None => Identity::default(),
    };
    let roles = ["AUTHOR", "COMMITTER"].into_iter();
    Ok(roles.fold(git, |git, role| {
        git.with(format!("GIT_{role}_NAME"), &identity.name)
            .with(format!("GIT_{role}_EMAIL"), &identity.email)
    }))
}

/// One call of the forge: what may still happen in it.
pub(super) struct Call<'a> {
    pub(super) setup: &'a Setup,
    began: Instant,
    /// The attributes of the commit that was last merged into. `None` before the first merge.
    pub(super) attributes: RefCell<Option<(Commit, Option<Rc<Attributes>>)>>,
    /// Nobody else uses the mirror meanwhile.
    _alone: Option<File>,
}

impl<'a> Call<'a> {
    /// Begins a call once nobody else uses the mirror.
    pub(super) fn begin(setup: &'a Setup) -> Result<Self, Trouble> {
        let began = Instant::now();
        let path = setup.config.folder.join("lock");
        // Opening the lock says what is wrong.
        let _made = compartment_runtime::make_private_folder(&setup.config.folder);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file =
            file.map_err(|error| Trouble::unreachable(&format!("cannot open {}: {error}", path.display())))?;
        let alone = loop {
            match file.try_lock() {
                Ok(()) => break Some(file),
                Err(TryLockError::WouldBlock) if began.elapsed() < setup.config.silence => {
                    std::thread::sleep(WAIT);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Trouble::unreachable("another call still uses the mirror"));
                }
                // Some file systems have no locks.
                Err(TryLockError::Error(_)) => break None,
            }
        };
        let call = Self { setup, began, attributes: RefCell::default(), _alone: alone };
        if !setup.mirror.join("HEAD").exists() {
            // Whatever else is there.
            call.make_anew(Format::default())?;
        }
        Ok(call)
    }

    /// Makes the mirror.
    fn make(&self, format: Format) -> Result<(), Trouble> {
        let format = match format {
            Format::Sha1 => "--object-format=sha1",
            Format::Sha256 => "--object-format=sha256",
        };
        let made = self.ok(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main", format]);
        made.map(drop).map_err(|trouble| Trouble::unreachable(&ForgeError::from(trouble).to_string()))
    }

    /// Throws the mirror away and makes another.
    pub(super) fn make_anew(&self, format: Format) -> Result<(), Trouble> {
        let mirror = &self.setup.mirror;
        let gone = match std::fs::symlink_metadata(mirror) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(mirror),
            Ok(_) => std::fs::remove_file(mirror),
            Err(_) => Ok(()),
        };
        gone.map_err(|error| {
            Trouble::unreachable(&format!("the mirror {} cannot be removed: {error}", mirror.display()))
        })?;
        self.make(format)
    }

    fn within(&self, git: &Git) -> Result<Git, Trouble> {
        let left = LONGEST.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(Trouble::unreachable(&format!(
                "what was asked of {} took longer than {} min",
                self.setup.remote,
                LONGEST.as_secs() / 60
            )));
        }
        Ok(git.clone().within(left))
    }

    fn git(&self) -> Result<Git, Trouble> {
        self.within(&self.setup.git)
    }

    /// What the remote has of a ref; nothing where it cannot be asked. This needs no mirror.
    pub(super) fn listed(&self, name: &str) -> Result<Option<String>, Trouble> {
        let git = self.within(&self.setup.outside)?;
        let listed = git.call(&self.setup.config.folder, &["ls-remote", "--quiet", REMOTE, name])?;
        Ok(listed.success().then(|| String::from_utf8_lossy(&listed.stdout).into_owned()))
    }

    /// Calls git; any exit code is an answer.
    pub(super) fn call(&self, args: &[&str]) -> Result<Output, Trouble> {
        self.call_with(None, args)
    }

    /// Calls git where it finds these attributes.
    pub(super) fn call_with(
        &self,
        attributes: Option<&Attributes>,
        args: &[&str],
    ) -> Result<Output, Trouble> {
        self.finding(self.git()?, attributes, args)
    }

    fn finding(&self, git: Git, attributes: Option<&Attributes>, args: &[&str]) -> Result<Output, Trouble> {
        Ok(match attributes.map(Attributes::folder) {
            Some(folder) => git.with("GIT_WORK_TREE", folder).call(folder, args)?,
            None => git.call(&self.setup.config.folder, args)?,
        })
    }

    /// The same; what git makes is kept until [that is forgotten](Self::forget_what_was_tried).
    pub(super) fn try_out(&self, attributes: Option<&Attributes>, args: &[&str]) -> Result<Output, Trouble> {
        let made = compartment_runtime::make_private_folder(&self.setup.scratch);
        made.map_err(|error| {
            Trouble::unreachable(&format!("cannot make {}: {error}", self.setup.scratch.display()))
        })?;
        self.finding(self.within(&self.setup.trying)?, attributes, args)
    }

    /// Throws away what was only tried.
    pub(super) fn forget_what_was_tried(&self) {
        // What cannot be thrown away is in nobody's way.
        let _gone = std::fs::remove_dir_all(&self.setup.scratch);
    }

    /// Calls git and gives its output.
    pub(super) fn ok(&self, args: &[&str]) -> Result<Vec<u8>, Trouble> {
        Ok(self.git()?.ok(&self.setup.config.folder, args)?)
    }

    /// Calls git and gives its output as text.
    pub(super) fn text(&self, args: &[&str]) -> Result<String, Trouble> {
        Ok(String::from_utf8_lossy(&self.ok(args)?).into_owned())
    }

    /// Calls git and gives its one line; nothing where it says no.
    pub(super) fn maybe_line(&self, args: &[&str]) -> Result<Option<String>, Trouble> {
        let output = self.call(args)?;
        match output.code {
            Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())),
            Some(1) => Ok(None),
            code => Err(failed(args, code, &output).into()),
        }
    }

    /// Fetches, all at once, a channel's branch, the pull requests, and the branches that they go into. Of what the
    /// remote has no more, nothing stays.
    pub(super) fn fetch(&self, channel: Option<&ChannelName>) -> Result<(), Trouble> {
        let config = &self.setup.config;
        let wanted = config.pull_requests.iter().map(|refs| &refs.channel).chain(channel);
        let mut refspecs: Vec<String> = wanted
            .map(|channel| {
                // With a star it is no error where there is none: that is told apart afterwards.
                let branch = config.branch(channel);
                format!("+refs/heads/{branch}*:{CHANNELS}{branch}*")
            })
            .collect();
        refspecs.sort();
        refspecs.dedup();
        let pull_requests = config.pull_requests.iter().enumerate();
        refspecs.extend(pull_requests.map(|(n, refs)| format!("+{}:{PULL_REQUESTS}{n}/*", refs.pattern)));
        let mut args = FETCH.to_vec();
        args.extend(refspecs.iter().map(String::as_str));
        let fetch = || match self.git()?.done(&config.folder, &args).map_err(Trouble::from) {
            // It says that all went well, and takes nothing of what would need these roots.
            Ok(output) if output.stderr.contains("shallow roots are not allowed") => Err(self.shallow()),
            Ok(_) => Ok(None),
            Err(Trouble::Mirror(error)) => Ok(Some(error)),
            Err(said @ Trouble::Said(_)) => Err(said),
        };
        let Some(mut error) = fetch()? else { return Ok(()) };
        if let Some(format) = Format::asked_for(&error) {
            self.make_anew(format)?;
            match fetch()? {
                None => return Ok(()),
                Some(other) => error = other,
            }
        }
        // A remote that does not answer is told from a mirror that does not work.
        match self.listed("HEAD")? {
            Some(_) => Err(Trouble::Mirror(error)),
            None => Err(Trouble::unreachable(&format!("{} cannot be read: {error}", self.setup.remote))),
        }
    }

    fn shallow(&self) -> Trouble {
        Trouble::unreachable(&format!(
            "{} is a shallow repository: what it has no history of cannot be compared, merged or reverted. Fetch the rest \
             there (`git fetch --unshallow`), or name the repository that it was cloned from",
            self.setup.remote
        ))
    }

    /// Clears away what nothing needs, where there is much of it.
    pub(super) fn upkeep(&self) -> Result<(), Trouble> {
        // Every call says `-c gc.auto=0` first.
        self.ok(&["-c", "gc.auto=5000", "gc", "--auto", "--quiet"]).map(drop)
    }
}

const FETCH: [&str; 9] = [
    "fetch",
    // Although nobody watches: who says something is there. Quiet, git would keep to itself what it receives.
    "--progress",
    "--no-tags",
    "--prune",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-show-forced-updates",
    "--refmap=",
    REMOTE,
];

/// An exit code that is no answer.
pub(super) fn failed(args: &[&str], code: Option<i32>, output: &Output) -> GitError {
    let command = args.first().copied().unwrap_or_default().to_owned();
    GitError::Failed { command, code, error: Text::new(&without_credentials(output.last_words().as_str())) }
}
