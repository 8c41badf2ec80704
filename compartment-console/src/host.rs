//! How hosts are configured: seen, changed, and taken back.

use compartment_core::HostId;
use compartment_core::event::CheckoutPlace;
use compartment_transport_http::wire::configuration::{
    Change, Configuration, TagsChange, Tests, TestsChange,
};

use super::args::{Configure, HostCommand, RunTests};
use super::{Completion, MatrixError, Program, hosts};
use crate::Format;

impl Program<'_> {
    pub(super) async fn host(
        &mut self,
        what: &HostCommand,
        format: Format,
    ) -> Result<Completion, MatrixError> {
        match what {
            HostCommand::Show { host } => {
                let configuration = self.answer(self.hub.configuration(host)).await?;
                match format {
                    Format::Table => self.show_configuration(&configuration),
                    Format::Json | Format::Ndjson => {
                        self.write(&configuration, &[&configuration], format)?;
                        Ok(Completion::Done)
                    }
                }
            }
            HostCommand::Set { host, new, how } => {
                let is_new = self.is_new(host).await?;
                if is_new && !new {
                    let matrix = self.answer(self.hub.matrix(None)).await?;
                    let names: Vec<_> = matrix.hosts.iter().map(|row| row.host.as_str()).collect();
                    let known = if names.is_empty() { "no host".to_owned() } else { hosts::named(&names) };
                    return Err(MatrixError::NewHost(host.clone(), format!("knows {known}")));
                }
                if is_new {
                    self.mention(&format!("{host} is new here: nothing is known of it until it reports"));
                }
                let configured = self.answer(self.hub.configure(host, &change(how))).await?;
                let verdict = self.show_configuration(&configured)?;
                if let Some(channel) = &how.channel {
                    self.mention(&format!(
                        "the hub looks at the branch of this name; {host} pulls the one that its agent is configured to: \
                         `branch = \"{channel}\"` in its commands"
                    ));
                }
                Ok(verdict)
            }
            HostCommand::Rename { host, name, yes } => self.rename(host, name, *yes).await,
            HostCommand::Remove { host, yes } => self.remove(host, *yes).await,
        }
    }

    /// Says what is under way on a host: nobody will hear how it ends.
    async fn show_work(&mut self, host: &HostId) -> Result<(), MatrixError> {
        let row = self.row(host).await?;
        if let Some(running) = &row.running {
            self.tell(
                "Beware:",
                &format!("a {} runs there, and nobody will hear how it ends", running.kind),
            )?;
        }
        if let Some(waiting) = &row.waiting {
            self.tell("Beware:", &format!("a {} of {} is to begin there", waiting.kind, waiting.by))?;
        }
        Ok(())
    }

    /// Whether the hub does not know a host.
    async fn is_new(&self, host: &HostId) -> Result<bool, MatrixError> {
        match self.hub.configuration(host).await {
            Ok(_) => Ok(false),
            Err(error) if error.status() == Some(404) => Ok(true),
            Err(error) => Err(self.explained(&error)),
        }
    }

    fn show_configuration(&mut self, configuration: &Configuration) -> Result<Completion, MatrixError> {
        let Configuration { host, channel, checkout, tests, tags } = configuration;
        let Tests { enabled, auto_run, timeout_s } = tests;
        let place = match checkout {
            CheckoutPlace::Host => "its own",
            CheckoutPlace::None => "none: somebody pushes what was built elsewhere",
        };
        let tests = match (enabled, auto_run) {
            (false, _) => "off".to_owned(),
            (true, false) => format!("on request, {timeout_s} s each"),
            (true, true) => format!("after each deployment, {timeout_s} s each"),
        };
        for (label, words) in [
            ("Host:", host.as_str()),
            ("Channel:", channel.as_str()),
            ("Checkout:", place),
            ("Tests:", &tests),
            ("Tags:", &if tags.is_empty() { "none".to_owned() } else { tags.to_string() }),
        ] {
            self.tell(label, words)?;
        }
        self.around.output.flush()?;
        Ok(Completion::Done)
    }

    /// A host's name is who it is: another name is another host, with the same configuration, and nothing is known of it
    /// until it speaks.
    async fn rename(&mut self, host: &HostId, name: &HostId, yes: bool) -> Result<Completion, MatrixError> {
        let before = self.answer(self.hub.configuration(host)).await?;
        if !self.is_new(name).await? {
            return Err(MatrixError::NotShown(format!("there is a host {name} already")));
        }
        self.show_configuration(&before)?;
        self.show_work(host).await?;
        let question = format!("Forget all that is known of {host}, and expect {name} in its place?");
        if !self.confirmed(&question, yes).await? {
            return Ok(Completion::NotAll);
        }
        let Configuration { host: _, channel, checkout, tests, tags } = before;
        let Tests { enabled, auto_run, timeout_s } = tests;
        let tests =
            TestsChange { enabled: Some(enabled), auto_run: Some(auto_run), timeout_s: Some(timeout_s) };
        let tags = TagsChange { remove: Vec::new(), add: tags.iter().cloned().collect() };
        let change = Change { channel: Some(channel), checkout: Some(checkout), tests, tags };
        self.answer(self.hub.configure(name, &change)).await?;
        self.answer(self.hub.remove(host)).await?;
        self.tell("Done:", &format!("{host} is forgotten, and {name} is configured as it was"))?;
        self.tell(
            "Next:",
            &format!(
                "on the hub's machine `compartment hub token add --data DIR --host {name} --out FILE`, and `compartment hub token revoke --data DIR ID` \
                 for the one of {host} (`compartment hub token list --data DIR` has its id); on the host the new token, `host = \"{name}\"`, and start its agent again"
            ),
        )?;
        self.around.output.flush()?;
        Ok(Completion::Done)
    }

    async fn remove(&mut self, host: &HostId, yes: bool) -> Result<Completion, MatrixError> {
        let configuration = self.answer(self.hub.configuration(host)).await?;
        self.show_configuration(&configuration)?;
        self.show_work(host).await?;
        if !self
            .confirmed(&format!("Forget all that is known of {host}, and what it says from now on?"), yes)
            .await?
        {
            return Ok(Completion::NotAll);
        }
        self.answer(self.hub.remove(host)).await?;
        let back = format!("{} host set {host} --new --channel {}", self.command, configuration.channel);
        self.tell("Done:", &format!("{host} is forgotten; `{back}` makes it known again, as a new host"))?;
        let next = "where it still runs an agent, end that, and on the hub's machine `compartment hub token revoke --data DIR ID` its token \
                    (`compartment hub token list --data DIR` has its id)";
        self.tell("Next:", next)?;
        self.around.output.flush()?;
        Ok(Completion::Done)
    }
}

fn change(how: &Configure) -> Change {
    let (enabled, auto_run) = match how.tests {
        None => (None, None),
        Some(RunTests::Off) => (Some(false), None),
        Some(RunTests::OnRequest) => (Some(true), Some(false)),
        Some(RunTests::Automatic) => (Some(true), Some(true)),
    };
    let checkout = how.checkout.map(|place| match place {
        super::args::Checkout::Host => CheckoutPlace::Host,
        super::args::Checkout::None => CheckoutPlace::None,
    });
    let tests = TestsChange { enabled, auto_run, timeout_s: how.test_limit };
    let tags = TagsChange { remove: how.untag.clone(), add: how.tag.clone() };
    Change { channel: how.channel.clone(), checkout, tests, tags }
}
