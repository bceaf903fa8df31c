use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use record_callback_tests::fault_matrix::{Cell, Ended};

/// The matrix, a row for each trouble.
pub(crate) struct Table(Vec<Row>);

#[derive(Default)]
struct Row {
    trouble: String,
    cells: usize,
    done: usize,
    kinds: BTreeSet<String>,
    maybe_applied: usize,
    requests: usize,
    longest: Duration,
}

impl Table {
    pub(crate) fn of(results: &[(Cell, Ended)]) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut results: Vec<_> = results.iter().collect();
        results.sort_by(|(one, _), (other, _)| one.trouble.name.cmp(&other.trouble.name));
        for (cell, ended) in results {
            if rows.last().is_none_or(|row| row.trouble != cell.trouble.name) {
                rows.push(Row { trouble: cell.trouble.name.clone(), ..Row::default() });
            }
            if let Some(row) = rows.last_mut() {
                row.add(ended);
            }
        }
        Self(rows)
    }
}

impl Row {
    fn add(&mut self, ended: &Ended) {
        self.cells += 1;
        self.requests += ended.received.len();
        self.longest = self.longest.max(ended.elapsed);
        match &ended.result {
            Ok(()) => self.done += 1,
            Err(error) => {
                self.kinds.insert(error.kind().to_string());
                self.maybe_applied += usize::from(error.maybe_applied());
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["trouble", "calls", "done", "failed", "maybe applied", "requests", "longest", "errors"];
        let mut lines = vec![header.map(str::to_owned)];
        let mut sum = Row { trouble: format!("{} troubles", self.0.len()), ..Row::default() };
        for row in &self.0 {
            sum.cells += row.cells;
            sum.done += row.done;
            sum.maybe_applied += row.maybe_applied;
            sum.requests += row.requests;
            sum.longest = sum.longest.max(row.longest);
            lines.push(row.columns());
        }
        lines.push(sum.columns());
        let widths: [usize; 8] = std::array::from_fn(|column| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        });
        for line in lines {
            for (column, (text, width)) in line.iter().zip(widths).enumerate() {
                match column {
                    0 => write!(f, "{text:width$}")?,
                    7 => write!(f, "  {text}")?,
                    _ => write!(f, "  {text:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Row {
    fn columns(&self) -> [String; 8] {
        let kinds: Vec<_> = self.kinds.iter().map(String::as_str).collect();
        [
            self.trouble.clone(),
            self.cells.to_string(),
            self.done.to_string(),
            (self.cells - self.done).to_string(),
            self.maybe_applied.to_string(),
            self.requests.to_string(),
            format!("{} ms", self.longest.as_millis()),
            kinds.join(", "),
        ]
    }
}
