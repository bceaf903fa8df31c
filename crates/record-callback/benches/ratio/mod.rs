//! Times alternatives against a reference in interleaved rounds, so that whatever else the machine does
//! hits both alike, and prints the median of the rounds' ratios.

/// The middle of `values`.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the medians of `rounds`, each a value of the reference and one of each alternative.
pub(crate) fn print(unit: &str, names: &[&str], rounds: &[Vec<f64>]) {
    println!("{:<44} {unit:>12} {:>18}", "", format!("x {}", names[0]));
    for (i, name) in names.iter().enumerate() {
        let value = median(&mut rounds.iter().map(|round| round[i]).collect::<Vec<_>>());
        let ratio = median(&mut rounds.iter().map(|round| round[i] / round[0]).collect::<Vec<_>>());
        println!("{name:<44} {value:>12.0} {ratio:>18.3}");
    }
    println!();
}
