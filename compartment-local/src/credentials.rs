//! Credentials in addresses of repositories: kept out of every message, and refused where git would not see them.

/// Words without the credentials of the addresses in them, and without what stands behind a `?`, which may hold a token, too.
/// Whatever is stored or shown goes through this.
#[must_use]
pub fn without_credentials(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + "://".len());
        out.push_str(head);
        // A quote may be a part of a password.
        let (word, after) = tail.split_at(tail.find(char::is_whitespace).unwrap_or(tail.len()));
        let end = match has_stray_password(word, true) {
            true => word.len(),
            false => word.find(['/', '?', '#']).unwrap_or(word.len()),
        };
        let shown = match word[..end].rfind('@') {
            Some(at) => {
                out.push('…');
                &word[at..]
            }
            None => word,
        };
        match shown.split_once('?') {
            Some((address, query)) if !query.is_empty() => out.extend([address, "?…"]),
            Some(_) | None => out.push_str(shown),
        }
        rest = after;
    }
    out + rest
}

/// Whether what follows `scheme://` seems to hold a password that reaches further than a server's name can: with a slash in it
/// that should be written `%2F`. What reads addresses would not take it for a password. A port is digits; so may the beginning
/// of a password be, where the scheme knows passwords.
fn has_stray_password(rest: &str, knows_passwords: bool) -> bool {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // An address of IPv6 has colons of its own.
    let behind_name = match authority.rsplit_once(']') {
        Some((_, behind)) => behind,
        None => authority.split_once(':').map_or("", |(name, _)| &authority[name.len()..]),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_odd = behind_name.strip_prefix(':').is_some_and(|port| knows_passwords || !is_port(port));
    !authority.contains('@') && path.contains('@') && (is_odd || knows_passwords && authority.is_empty())
}

/// Why an address of a repository is not taken: it seems to hold a password where git sees none, so that it would be shown.
#[must_use]
pub fn misplaced_password(address: &str) -> Option<&'static str> {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    let misplaced = match address.split_once("://") {
        Some((scheme, rest)) => has_stray_password(rest, is_http(scheme)),
        // `host:path`, as git tells it from a path: a user with a password has another colon behind its `@`.
        None => address.split_once(':').is_some_and(|(before, after)| {
            let behind = after.split_once('@').map(|(_, behind)| behind);
            let is_named = !before.contains(['/', '@', '[', ' ']);
            is_named && behind.is_some_and(|behind| behind.contains(':') || is_http(before))
                || before.split('/').next().is_some_and(is_http) && behind.is_some()
        }),
    };
    misplaced.then_some(
        "it seems to hold a password where git sees none: it begins with https:// and the like; in a password `/` is \
         written %2F, `?` %3F and `#` %23, and in a path behind a port `@` is written %40",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out() {
        for (raw, shown) in [
            ("at 'https://me:tok@git.example/x.git/': 403", "at 'https://…@git.example/x.git/': 403"),
            ("https://a@b ssh://c@d/e", "https://…@b ssh://…@d/e"),
            ("https://p@ss@host/", "https://…@host/"),
            ("https://git.example/x@y", "https://git.example/x@y"),
            ("$ clone 'https://me:to'\\''k\"h?u#sh@h/x' y", "$ clone 'https://…@h/x' y"),
            ("at \"https://git.example\": me@x", "at \"https://git.example\": me@x"),
            ("git@host:x", "git@host:x"),
            ("://", "://"),
            ("at https://me:s3c/r@t@h/x: 403", "at https://…@h/x: 403"),
            ("https://me:s?c#r@h/x y@z", "https://…@h/x y@z"),
            ("https://me:123/s3c@h/x https://me:/s3c@h", "https://…@h/x https://…@h"),
            ("https:///me:s3c@h/x", "https://…@h/x"),
            ("https://git.example/x?private_token=s3c: 403", "https://git.example/x?… 403"),
            ("https://git.example:8443/x", "https://git.example:8443/x"),
        ] {
            assert_eq!(without_credentials(raw), shown);
        }
    }

    #[test]
    fn a_password_where_git_sees_none_is_found() {
        for address in [
            "https://me:s3c/r@h/x",
            "https://me:s?c@h",
            "https://me:123/s3c@h/x",
            "HTTPS://me:/s3c@h",
            "https:///me:s3c@h",
            "ssh://me:s3c/r@h/x",
            "me:s3cret@127.0.0.1:x",
            "https:/me:s3cret@h/x",
            "https//me:s3cret@h/x",
        ] {
            assert!(misplaced_password(address).is_some(), "{address}");
        }
        for address in [
            "https://me:s3cret@h/x",
            "https://h:8443/x",
            "https://h/x@y",
            "https://[::1]/x@y",
            "ssh://git@h:22/x@y",
            "ssh://h:22/x@y",
            "ssh://[::1]/x@y",
            "[::1]:x@y",
            "git@h:x@y",
            "host:repos/x@y.git",
            "ext::ssh u@h %S /x",
            "host:x",
            "/srv/a:b@c",
            "origin",
        ] {
            assert_eq!(misplaced_password(address), None, "{address}");
        }
    }
}
