//! Where the desired state comes from: whether it is reached, has the branch, and whether the hub could merge there.

use std::collections::BTreeMap;
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use compartment_core::{ChannelName, Text};
use compartment_local::credentials::without_credentials;
use compartment_runtime::{Forge, ForgeError};

use super::{Finding, Looked};
use crate::hub::Where;

/// How long whoever is asked may say nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(25);

const CHECK: &str = "forge";

pub(super) fn forge(looked: &Looked) -> Vec<Finding> {
    match &looked.serve.forge.forge {
        None => {
            let words = "nobody looks at the repository: without --forge nothing is known of what is desired";
            let remedy = "give --forge (or COMPARTMENT_FORGE), as the hub is run with it";
            vec![Finding::doubt(CHECK, words, remedy)]
        }
        Some(Where::Git(remote)) => git(looked, remote),
        Some(Where::GitHub { owner, repository }) => {
            let mut found = vec![seen(looked, &format!("github:{owner}/{repository}"))];
            if looked.serve.forge.forge_token_file.is_none() {
                let words = "without a token GitHub is asked at most 60 times an hour, and merges nothing";
                found.push(Finding::doubt("merges", words, "give --forge-token-file"));
            }
            found
        }
        Some(Where::Published(url)) => vec![seen(looked, &without_credentials(url))],
    }
}

/// What a notice of the forge is signed with.
pub(super) fn webhook(looked: &Looked) -> Vec<Finding> {
    let serve = &looked.serve;
    let Some(file) = &serve.webhook_secret_file else { return Vec::new() };
    vec![match serve.forge.webhook(Some(file)) {
        Ok(_) => Finding::good("webhook", format!("the secret in {} can be used", file.display())),
        Err(error) => {
            let remedy =
                "put a long random word into the file, for the hub's user alone, and the same at the forge";
            Finding::bad("webhook", error.to_string(), remedy)
        }
    }]
}

fn unreached(place: &str, why: &dyn std::fmt::Display) -> Finding {
    let remedy = "see that this machine reaches it, and that the hub's user is let in (a token, or a key and a known host)";
    Finding::bad(CHECK, format!("{} cannot be used: {why}", Text::new(place)), remedy)
}

fn no_branch(place: &str, branch: &str) -> Finding {
    let remedy = "name the branch that hosts follow with --branch, or make it";
    Finding::bad(CHECK, format!("{} has no branch `{}`", Text::new(place), Text::new(branch)), remedy)
}

/// A repository that git reaches: its branch is listed, and nothing fetched.
fn git(looked: &Looked, remote: &str) -> Vec<Finding> {
    let (args, place) = (&looked.serve.forge, without_credentials(remote));
    let Ok(folder) = tempfile::tempdir() else {
        return vec![Finding::doubt(
            CHECK,
            "no temporary folder can be made to ask from",
            "make room in TMPDIR",
        )];
    };
    let channels = BTreeMap::from([(ChannelName::main(), args.branch.clone())]);
    let forge = match args.git(remote, channels, SILENCE, folder.path(), looked.stop.clone()) {
        Ok(forge) => forge,
        Err(error) => return vec![unreached(&place, &error)],
    };
    let tip = match forge.tip(&ChannelName::main()) {
        Ok(Some(tip)) => tip,
        Ok(None) => return vec![no_branch(&place, &args.branch)],
        Err(error) => return vec![unreached(&place, &error)],
    };
    let mut found = vec![Finding::good(CHECK, format!("`{}` of {place} is at {tip}", args.branch))];
    found.extend(merges(looked, remote));
    found
}

/// Whether the hub could push, as far as that shows without a push.
fn merges(looked: &Looked, remote: &str) -> Option<Finding> {
    let args = &looked.serve.forge;
    let has_secret = without_credentials(remote) != remote || args.forge_token_file.is_some();
    if remote.starts_with("https:") && !has_secret {
        let words = "without a token the hub reads only, unless git has credentials of its own: merges would be refused";
        return Some(Finding::doubt(
            "merges",
            words,
            "give --forge-token-file, or leave merges to the forge",
        ));
    }
    let objects = [Path::new(remote).join("objects"), Path::new(remote).join(".git/objects")];
    let (objects, hub) = (objects.iter().find_map(|path| metadata(path).ok())?, metadata(&looked.data).ok()?);
    let bit = match (objects.uid() == hub.uid(), objects.gid() == hub.gid()) {
        (true, _) => 0o200,
        (false, true) => 0o020,
        (false, false) => 0o002,
    };
    if hub.uid() == 0 || objects.mode() & bit != 0 {
        return None;
    }
    let user = super::data::user(hub.uid());
    let words = format!("{user}, whom the hub runs as, may not write to {remote}: merges would be refused");
    Some(Finding::doubt("merges", words, "let that user write there, or leave merges to people"))
}

/// Another source: one look, which keeps nothing.
fn seen(looked: &Looked, place: &str) -> Finding {
    let args = &looked.serve.forge;
    let Ok(folder) = tempfile::tempdir() else {
        return Finding::doubt(CHECK, "no temporary folder can be made to ask from", "make room in TMPDIR");
    };
    let forge = match args.open(folder.path(), looked.stop.clone()) {
        Ok(Some(forge)) => forge,
        Ok(None) => return Finding::doubt(CHECK, "it was not said", "give --forge"),
        Err(error) => return unreached(place, &error),
    };
    match at_once(forge.as_ref()) {
        Ok(tip) => Finding::good(CHECK, format!("`{}` of {place} is at {tip}", args.branch)),
        Err(error) => unreached(place, &error),
    }
}

fn at_once(forge: &dyn Forge) -> Result<String, ForgeError> {
    let failed = |why: &str| ForgeError::Unreachable(Text::new(why));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error.to_string()))?;
    let main = ChannelName::main();
    let look = runtime.block_on(async { tokio::time::timeout(LOOK, forge.look(&main)).await });
    runtime.shutdown_background();
    let look = look.map_err(|_| failed("it does not answer in time"))??;
    Ok(look.commit.to_string())
}
