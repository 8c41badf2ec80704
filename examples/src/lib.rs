//! What the example programs share: a small fleet made of real git repositories and processes to live through a weekly
//! update with, and showing a matrix in a terminal.
//!
//! Nothing here is needed to use the library; all of it may be copied.

pub mod agent;
pub mod background;
pub mod clock;
pub mod demo;
pub mod fold;
pub mod hub;
pub mod matrix;
pub mod progress;
pub mod show;
pub mod ssh_fleet;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    /// Examples are lines, and stay lines in a narrow terminal; what is prose wraps by itself, and is not wrapped by hand.
    #[test]
    fn help_fits_a_terminal_of_eighty_columns() {
        let all = [
            crate::agent::Cli::command(),
            crate::fold::Cli::command(),
            crate::hub::Cli::command(),
            crate::matrix::Cli::command(),
            crate::ssh_fleet::Cli::command(),
        ];
        for command in all {
            let name = command.get_name().to_owned();
            let after = command.get_after_help().unwrap().to_string();
            let mut before = "";
            for line in after.lines() {
                let (wide, is_example) = (line.chars().count(), line.starts_with("  "));
                assert!(!is_example || wide <= 80, "{name}, {wide} columns: {line}");
                // A line of prose that is long goes on in itself, and the next one begins anew.
                let goes_on = line.starts_with(char::is_lowercase) && before.chars().count() > 80;
                assert!(!goes_on, "{name}: {before}\n{line}");
                before = line;
            }
        }
    }
}
