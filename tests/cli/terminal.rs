//! The program on a terminal: where it asks, and shows colours.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::program::{PATIENCE, Program, wait};

/// Ends every question.
const QUESTION: &str = "[y/N] ";

/// The exit code and what was seen, of a run on a terminal; its question is answered with `answer`, after `before` was done.
pub(crate) fn answering(
    program: &Program,
    arguments: &[&str],
    answer: &str,
    before: impl FnOnce(),
) -> (Option<i32>, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("its other end");
    unlockpt(&ours).expect("its other end");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let theirs = File::from(open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other end"));
    let stdio = || Stdio::from(theirs.try_clone().expect("another descriptor"));
    let mut command = program.command(arguments);
    // Colours are for terminals that are known to have them.
    command.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio());
    let mut child = command.spawn().expect("the program runs");
    drop((theirs, command));

    let mut ours = File::from(ours);
    let mut reader = ours.try_clone().expect("another descriptor");
    let (sender, seen) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // An error is the end: nobody has the other end any more.
        while let Ok(count) = reader.read(&mut bytes) {
            if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    let (mut all, mut before) = (Vec::new(), Some(before));
    while let Ok(bytes) = seen.recv_timeout(PATIENCE) {
        all.extend(bytes);
        if String::from_utf8_lossy(&all).contains(QUESTION)
            && let Some(before) = before.take()
        {
            before();
            ours.write_all(format!("{answer}\n").as_bytes()).expect("somebody reads");
        }
    }
    let code = wait(&mut child, PATIENCE).code();
    let all = String::from_utf8(all).expect("UTF-8");
    program.assert_secret(&all);
    (code, all)
}
