//! Questions to whoever sits there.

use std::io;

use super::{MatrixError, Program, interrupt};

/// Reads a line of an answer. It may wait for as long as somebody thinks.
pub type Answer = Box<dyn FnOnce() -> io::Result<String> + Send>;

impl Program<'_> {
    /// Whether somebody says yes. Without an answer it is no.
    pub(super) async fn confirmed(&mut self, question: &str, yes: bool) -> Result<bool, MatrixError> {
        if yes {
            return Ok(true);
        }
        let answer = self.around.answer.take().ok_or(MatrixError::Unanswered)?;
        write!(self.around.aside, "{question} [y/N] ")?;
        self.around.aside.flush()?;
        let (tell, told) = tokio::sync::oneshot::channel();
        // Nothing ends a read of a terminal but a line: this thread ends with the program.
        std::thread::spawn(move || drop(tell.send(answer())));
        let said = tokio::select! {
            said = told => said,
            () = interrupt(&self.around.stop) => {
                writeln!(self.around.aside, "\nNothing was asked for.")?;
                return Err(MatrixError::Interrupted);
            }
        };
        let said = said.unwrap_or_else(|_| Ok(String::new()))?;
        let yes = ["y", "yes"].contains(&said.trim().to_ascii_lowercase().as_str());
        if !yes {
            self.mention("nothing was asked for");
        }
        Ok(yes)
    }
}
