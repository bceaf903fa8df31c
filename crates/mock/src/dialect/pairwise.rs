//! Covering arrays: a few rows in which every two values of different columns meet.

/// Rows of one choice for each column, so that any choice of any column occurs together with any choice of any other.
/// `counts` says how many choices each column has, which is at least one; one column alone has no pairs.
///
/// Built greedily, the way AETG does without its randomness: each row starts with a pair that is still missing, and
/// the other columns take in turn what adds most missing pairs. Trying several rows for each saves next to none.
pub(super) fn rows(counts: &[usize]) -> Vec<Vec<usize>> {
    let mut missing = Missing::all(counts);
    let mut rows = Vec::new();
    while let Some(pair) = missing.first() {
        let row = missing.row_with(pair);
        missing.strike(&row);
        rows.push(row);
    }
    rows
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    column: usize,
    choice: usize,
}

/// The pairs no row has yet.
struct Missing {
    /// Every choice of every column.
    cells: Vec<Cell>,
    /// Where the cells of each column begin.
    starts: Vec<usize>,
    /// For each two cells, by their indices. Symmetric.
    pairs: Vec<Vec<bool>>,
}

impl Missing {
    fn all(counts: &[usize]) -> Self {
        let cells: Vec<Cell> = counts
            .iter()
            .enumerate()
            .flat_map(|(column, count)| (0..*count).map(move |choice| Cell { column, choice }))
            .collect();
        let starts = counts
            .iter()
            .scan(0, |start, count| {
                *start += count;
                Some(*start - count)
            })
            .collect();
        let pairs = cells.iter().map(|a| cells.iter().map(|b| a.column != b.column).collect()).collect();
        Self { cells, starts, pairs }
    }

    fn first(&self) -> Option<(Cell, Cell)> {
        self.pairs.iter().enumerate().find_map(|(a, others)| {
            let b = others.iter().position(|missing| *missing)?;
            Some((self.cells[a], self.cells[b]))
        })
    }

    fn row_with(&self, pair: (Cell, Cell)) -> Vec<usize> {
        let mut row = vec![None; self.starts.len()];
        for cell in [pair.0, pair.1] {
            row[cell.column] = Some(cell.choice);
        }
        for column in 0..row.len() {
            if row[column].is_none() {
                row[column] = Some(self.best_choice(column, &row));
            }
        }
        row.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// The choice that adds most missing pairs to a row; among equals, the one with most pairs missing elsewhere, so
    /// that the rest stays balanced, then the first.
    fn best_choice(&self, column: usize, row: &[Option<usize>]) -> usize {
        let gain = |cell: usize| {
            let chosen =
                row.iter().enumerate().filter_map(|(column, choice)| Some(self.index(column, (*choice)?)));
            chosen.filter(|other| self.pairs[cell][*other]).count()
        };
        let elsewhere = |cell: usize| self.pairs[cell].iter().filter(|missing| **missing).count();
        let cells = self.cells.iter().enumerate().filter(|(_, cell)| cell.column == column);
        cells
            .rev()
            .max_by_key(|(index, _)| (gain(*index), elsewhere(*index)))
            .map_or(0, |(_, cell)| cell.choice)
    }

    fn strike(&mut self, row: &[usize]) {
        let chosen: Vec<usize> =
            row.iter().enumerate().map(|(column, choice)| self.index(column, *choice)).collect();
        for a in &chosen {
            for b in &chosen {
                self.pairs[*a][*b] = false;
            }
        }
    }

    fn index(&self, column: usize, choice: usize) -> usize {
        self.starts[column] + choice
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn check(counts: &[usize]) {
        let rows = rows(counts);
        let mut met = HashSet::new();
        for row in &rows {
            assert_eq!(row.len(), counts.len());
            assert!(row.iter().zip(counts).all(|(choice, count)| choice < count));
            for a in 0..row.len() {
                met.extend((0..a).map(|b| (a, row[a], b, row[b])));
            }
        }
        let pairs: usize =
            (0..counts.len()).map(|a| counts[..a].iter().map(|count| count * counts[a]).sum::<usize>()).sum();
        assert_eq!(met.len(), pairs, "{counts:?}");
        assert_eq!(rows, super::rows(counts), "the rows are always the same");

        let mut sorted = counts.to_vec();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        if let [largest, second, ..] = sorted[..] {
            // No array can have fewer rows than the two largest columns have pairs.
            assert!(rows.len() >= largest * second);
            // Many columns of two choices need more than their least, which is only 4.
            let enough = (largest * second * 5 / 2).max(14);
            assert!(rows.len() <= enough, "{} rows for {counts:?}", rows.len());
        }
    }

    #[test]
    fn few_columns_have_no_or_all_combinations() {
        assert!(rows(&[]).is_empty());
        assert!(rows(&[3]).is_empty());
        assert_eq!(rows(&[1, 1]), [[0, 0]]);
        assert_eq!(rows(&[2, 3]).len(), 6);
    }

    #[test]
    fn many_columns_need_few_rows() {
        check(&[2; 30]);
        check(&[3; 13]);
        check(&[4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_pair_meets(counts in vec(1..5_usize, 0..20)) {
            check(&counts);
        }
    }
}
