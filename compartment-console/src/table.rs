//! The matrix as it is now, and who did what.

use std::io;

use compartment_core::{Compartment, HostId, Matrix, Row, Status};
use compartment_transport_http::client::AuditQuery;
use serde::Serialize;

use super::hosts::Shown;
use super::{Completion, Lines, MatrixError, Program, Since};
use crate::Format;
use crate::show::{self, Width};

impl Program<'_> {
    pub(super) async fn table(&mut self, shown: &Shown, format: Format) -> Result<Completion, MatrixError> {
        let mut matrix = self.answer(self.hub.matrix(None)).await?;
        shown.check(&matrix)?;
        let rows = shown.rows(&matrix);
        let out = &mut self.around.output;
        match format {
            Format::Table => write!(out, "{}", words(&rows, &matrix, &[], &[], self.around.width))?,
            Format::Json => {
                matrix.hosts = rows;
                serde_json::to_writer_pretty(&mut *out, &matrix).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Ndjson => rows.iter().try_for_each(|row| line(out, row))?,
        }
        out.flush()?;
        Ok(Completion::Done)
    }

    pub(super) async fn log(
        &mut self,
        host: Option<&HostId>,
        which: &Lines,
        format: Format,
    ) -> Result<Completion, MatrixError> {
        let since = match which.since {
            None => None,
            Some(Since::At(at)) => Some(at),
            // By the hub's clock, as the log is.
            Some(Since::Ago(ago)) => Some(self.answer(self.hub.matrix(None)).await?.as_of - ago),
        };
        let query = AuditQuery {
            host: host.cloned(),
            newest_first: true,
            limit: Some(which.limit.get()),
            since,
            by: which.actor.clone(),
            kind: which.kind,
            ..AuditQuery::default()
        };
        let mut trail = self.answer(self.hub.audit(&query)).await?;
        if let Some(host) = host.filter(|_| trail.is_empty()) {
            // A host that nobody knows has none, and is no host of this fleet.
            self.row(host).await?;
        }
        trail.reverse();
        match format {
            Format::Table => self.say_all(&show::audit(&trail, self.around.width))?,
            Format::Json | Format::Ndjson => self.write(&trail, &trail, format)?,
        }
        Ok(Completion::Done)
    }

    pub(super) async fn explain(
        &mut self,
        host: &HostId,
        cell: Compartment,
        format: Format,
    ) -> Result<Completion, MatrixError> {
        // A name that nobody knows is told with those that there are.
        self.row(host).await?;
        let explained = self.answer(self.hub.explain(host, cell)).await?;
        match format {
            Format::Table => self.say_all(&show::explanation(&explained, self.around.width))?,
            Format::Json | Format::Ndjson => self.write(&explained, &[&explained], format)?,
        }
        Ok(Completion::Done)
    }

    pub(super) async fn history(&mut self, host: &HostId, format: Format) -> Result<Completion, MatrixError> {
        let history = self.answer(self.hub.history(host)).await?;
        match format {
            Format::Table => self.say_all(&show::history(&history.generations, self.around.width))?,
            Format::Json | Format::Ndjson => self.write(&history, &history.generations, format)?,
        }
        Ok(Completion::Done)
    }

    fn say_all(&mut self, text: &str) -> Result<(), MatrixError> {
        self.around.output.write_all(text.as_bytes())?;
        Ok(self.around.output.flush()?)
    }
}

pub(super) fn line(out: &mut dyn io::Write, value: &impl Serialize) -> Result<(), io::Error> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// The table, who cannot be reached or read, the reasons of what is not green, and the fleet.
pub(super) fn words(
    rows: &[Row],
    matrix: &Matrix,
    away: &[(HostId, String)],
    unread: &[(HostId, String)],
    width: Width,
) -> String {
    let has_agent = |row: &Row| row.cells.get(Compartment::Agent).status != Status::Unknown;
    let have_agents = rows.iter().any(has_agent);
    let parts = [
        show::matrix(rows, matrix.as_of, width),
        show::why("Cannot be reached", away, width),
        show::why("Cannot be read", unread, width),
        show::reasons(rows, have_agents, width),
        show::summary(matrix, width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}
