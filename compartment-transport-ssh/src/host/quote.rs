//! The one place where a value becomes a word of a shell.

/// A value that no shell can be given: it holds a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds a NUL character, which no argument can")]
pub struct HasNul;

/// `value` as one word of a POSIX shell: whatever it holds arrives as it is, and nothing of it is obeyed.
///
/// Single quotes take everything literally but themselves, in every shell and every locale. The empty value is a
/// word, too.
///
/// # Errors
/// [`HasNul`].
///
/// ```
/// use compartment_transport_ssh::host::quote;
///
/// assert_eq!(quote("it's; $(reboot)")?, r"'it'\''s; $(reboot)'");
/// # Ok::<(), compartment_transport_ssh::host::HasNul>(())
/// ```
pub fn quote(value: &str) -> Result<String, HasNul> {
    if value.contains('\0') {
        return Err(HasNul);
    }
    let mut word = String::with_capacity(value.len() + 2);
    word.push('\'');
    for c in value.chars() {
        match c {
            '\'' => word.push_str(r"'\''"),
            other => word.push(other),
        }
    }
    word.push('\'');
    Ok(word)
}
