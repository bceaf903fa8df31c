//! The state after a crash is read as far as it was written; what nothing but damage explains is refused.

use std::io::Seek;

use super::*;

#[tokio::test]
async fn a_journal_cut_anywhere_is_a_prefix_of_it() {
    let (place, states) = noted().await;
    let whole = fs::read(&place.journal).unwrap();
    let journal = File::options().write(true).open(&place.journal).unwrap();
    for length in (0..whole.len()).rev() {
        for zeros in [0, 5] {
            journal.set_len(length as u64).unwrap();
            journal.set_len((length + zeros) as u64).unwrap();
            match (StateFile::read(&place.path), lines_in(&whole[..length])) {
                (Ok(state), lines @ 1..) => assert_eq!(state, states[lines - 1], "{length}"),
                // The first line is there before the file has its name.
                (Err(StateError::Damaged { line: 1, .. }), 0) => {}
                other => panic!("{length}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn after_a_cut_it_goes_on_from_the_last_whole_line() {
    let (place, states) = noted().await;
    let whole = fs::read(&place.journal).unwrap();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in (header..whole.len()).step_by(501) {
        for zeros in [0, 5] {
            fs::write(&place.journal, [&whole[..length], &vec![0; zeros]].concat()).unwrap();
            let (file, mut state) = StateFile::open(&place.path).unwrap();
            assert_eq!(state, states[lines_in(&whole[..length]).saturating_sub(1)]);
            let next = entry(&state.salt, 9);
            file.append(&next).await.unwrap();
            state.take(next);
            assert_eq!(StateFile::read(&place.path).unwrap(), state, "{length}");
        }
    }
}

/// Puts `byte` at `at`, in place: rewriting the file each time would have the disk wait each time.
fn poke(path: &Path, at: usize, byte: u8) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(io::SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[tokio::test]
async fn a_changed_byte_is_damage() {
    let (place, _) = noted().await;
    let whole = fs::read(&place.journal).unwrap();
    for at in 0..whole.len() {
        poke(&place.journal, at, whole[at] ^ 1);
        let error = StateFile::read(&place.path).unwrap_err();
        let StateError::Damaged { path, line, .. } = &error else { panic!("{at}: {error}") };
        assert_eq!(*line, lines_in(&whole[..at]) as u64 + 1, "{at}");
        let shown = error.to_string();
        assert!(shown.contains(path.to_str().unwrap()) && shown.contains("`import`"), "{shown}");
        if at == 0 {
            assert!(matches!(StateFile::open(&place.path), Err(StateError::Damaged { .. })));
        }
        poke(&place.journal, at, whole[at]);
    }
}

#[tokio::test]
async fn a_zero_amid_data_is_damage() {
    let (place, states) = noted().await;
    let whole = fs::read(&place.journal).unwrap();
    for (at, byte) in whole.iter().enumerate() {
        poke(&place.journal, at, 0);
        match StateFile::read(&place.path) {
            Err(StateError::Damaged { .. }) => {}
            // The end of the last write may not have reached the disk.
            Ok(state) if at == whole.len() - 1 => assert_eq!(state, states[states.len() - 2]),
            other => panic!("{at}: {other:?}"),
        }
        poke(&place.journal, at, *byte);
    }
}

#[tokio::test]
async fn nothing_of_a_torn_write_counts() {
    let place = place();
    let (file, state) = StateFile::open(&place.path).unwrap();
    file.append(&entry(&state.salt, 0)).await.unwrap();
    let before = fs::read(&place.journal).unwrap().len();
    let records: Vec<_> = (1..20).map(|i| entry(&state.salt, i)).collect();
    let lines: Vec<_> = records.iter().map(|record| serde_json::to_vec(record).unwrap()).collect();
    file.appender.output.lock().unwrap().write(lines.iter().map(Vec::as_slice)).unwrap();
    drop(file);
    let written = fs::read(&place.journal).unwrap();
    for (from, to) in [(2_048, 4_096), (2_048, 2_560), (2_000, 4_096), (2_048, written.len())] {
        assert!(from > before);
        let mut torn = written.clone();
        torn[from..to].fill(0);
        fs::write(&place.journal, torn).unwrap();
        let read = StateFile::read(&place.path).unwrap();
        let whole = lines_in(&written[..from]) - 2;
        assert_eq!(
            read,
            states(state.clone(), &[&[entry(&state.salt, 0)], &records[..]].concat())[whole + 1]
        );
    }
    // No disk leaves these.
    let mut damaged = written;
    damaged[2_048..4_000].fill(0);
    fs::write(&place.journal, damaged).unwrap();
    assert!(matches!(StateFile::read(&place.path), Err(StateError::Damaged { .. })));
}

#[tokio::test]
async fn a_line_that_is_missing_twice_or_elsewhere_is_damage() {
    let (place, states) = noted().await;
    let text = fs::read_to_string(&place.journal).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let damaged = |lines: Vec<&str>, expected: usize| {
        fs::write(&place.journal, lines.concat()).unwrap();
        match StateFile::read(&place.path) {
            Err(StateError::Damaged { line, .. }) => assert_eq!(line, expected as u64 + 1),
            other => panic!("line {}: {other:?}", expected + 1),
        }
    };
    for i in 0..lines.len() {
        let without = [&lines[..i], &lines[i + 1..]].concat();
        if i < lines.len() - 1 {
            damaged(without, i);
        } else {
            // Nobody can tell it from a crash before it was written.
            fs::write(&place.journal, without.concat()).unwrap();
            assert_eq!(StateFile::read(&place.path).unwrap(), states[states.len() - 2]);
        }
        damaged([&lines[..=i], &lines[i..]].concat(), i + 1);
        if i > 0 {
            let mut swapped = lines.clone();
            swapped.swap(i - 1, i);
            damaged(swapped, i - 1);
        }
    }
    // Lines of another journal do not pass for lines of this.
    let (other, _) = noted().await;
    let others = fs::read_to_string(&other.journal).unwrap();
    let theirs: Vec<&str> = others.split_inclusive('\n').collect();
    damaged([&lines[..3], &theirs[3..]].concat(), 3);
}

/// The number of flips that are tried; more of them when a measurement asks for it.
#[expect(clippy::disallowed_methods, reason = "of this test, not of the program")]
fn flips() -> u64 {
    std::env::var("RECORD_CALLBACK_BIT_FLIPS").map_or(1_000, |text| text.parse().unwrap())
}

#[expect(clippy::print_stdout, reason = "how many is what a measurement wants to know")]
#[tokio::test]
async fn every_flipped_bit_is_refused() {
    let (place, mut now) = {
        let (place, states) = noted().await;
        (place, states[8].clone())
    };
    let salt = now.salt;
    let (file, _) = StateFile::open(&place.path).unwrap();
    file.checkpoint(&now).unwrap();
    // Of what is in the last line, a flip makes zeros and line ends.
    let place_of = Record::Place { provider: name("hw"), place: "a place @ J* *J @".to_owned() };
    for record in [entry(&salt, 6), gone(&salt, 0), place_of] {
        file.append(&record).await.unwrap();
        now.take(record);
    }
    drop(file);
    let files = [&place.path, &place.journal].map(|path| (path, fs::read(path).unwrap()));
    let bits = files.each_ref().map(|(_, bytes)| bytes.len() as u64 * 8);
    let mut accepted = Vec::new();
    for i in 0..flips() {
        // Every bit once before any comes again, spread over both: the step has no divisor in common with most lengths.
        let bit = i * 7_919 % (bits[0] + bits[1]);
        let (which, bit) = if bit < bits[0] { (0, bit) } else { (1, bit - bits[0]) };
        let (path, bytes) = &files[which];
        let at = usize::try_from(bit / 8).unwrap();
        poke(path, at, bytes[at] ^ (1 << (bit % 8)));
        match StateFile::read(&place.path) {
            Ok(state) => accepted.push((which, bit, state == now)),
            Err(error) => assert!(error.to_string().contains(path.to_str().unwrap()), "{error}"),
        }
        poke(path, at, bytes[at]);
    }
    assert_eq!(StateFile::read(&place.path).unwrap(), now);
    println!("{} flips, {} accepted", flips(), accepted.len());
    assert!(accepted.is_empty(), "{accepted:?}");
}
