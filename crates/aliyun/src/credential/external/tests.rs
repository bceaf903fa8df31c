use record_callback_http::FixedEnv;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn external(command: &str) -> External {
    External::new(&SourceContext::default(), command).unwrap()
}

fn shown(miss: &Miss) -> String {
    let Miss::Failed(error) = miss else { panic!("{miss:?}") };
    format!("{error} {error:?}")
}

#[test]
fn what_is_printed_is_a_key_with_or_without_an_end() {
    let lease = read(br#"{"access_key_id":"id","access_key_secret":"s3cr3t"}"#, NOW).unwrap();
    assert_eq!((lease.value.id(), lease.value.expose_security_token()), ("id", None));
    assert_eq!((lease.value.expires_at(), lease.expires_at), (None, Some(NOW + KEPT)));
    let temporary = r#"{"mode":"StsToken","access_key_id":"id","access_key_secret":"s3cr3t","sts_token":"t0ken",
        "expiration":"2026-01-02T03:04:05Z","other":1}"#;
    let lease = read(temporary.as_bytes(), NOW).unwrap();
    let ends: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    assert_eq!((lease.value.expires_at(), lease.expires_at), (Some(ends), Some(ends)));
    assert_eq!(lease.value.expose_security_token(), Some("t0ken"));
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    const JSON: &str = "JSON with access_key_id";
    for (printed, expected) in [
        ("s3cr3t", JSON),
        (r#"{"access_key_id":"id","access_key_secret":5,"x":"s3cr3t"}"#, JSON),
        (r#"{"access_key_id":"id","access_key_secret":" ","x":"s3cr3t"}"#, JSON),
        (r#"{"access_key_secret":"s3cr3t"}"#, JSON),
        (r#"{"mode":"StsToken","access_key_id":"id","access_key_secret":"s3cr3t"}"#, "the sts_token"),
        (r#"{"mode":"RamRoleArn","access_key_id":"id","access_key_secret":"s3cr3t"}"#, "a key of mode AK or"),
        (r#"{"access_key_id":"id","access_key_secret":"s","expiration":"s3cr3t"}"#, "an expiration such as"),
    ] {
        let error = read(printed.as_bytes(), NOW).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(&format!("did not print {expected}")), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn a_command_is_split_as_a_shell_does_and_shown_by_nobody() {
    let split = external(r#"prog 's3cr3t $HOME' "a b""#);
    let arguments: Vec<_> = split.arguments.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!((split.program.as_str(), arguments), ("prog", vec!["s3cr3t $HOME", "a b"]));
    assert!(!format!("{split:?}").contains("s3cr3t"));
    for command in ["prog 's3cr3t", "", "  "] {
        assert!(External::new(&SourceContext::default(), command).is_none(), "{command}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_fails_is_said_to_without_its_words() {
    for (command, problem) in [
        ("/nonexistent/s3cr3t", "the program cannot be started"),
        ("sh -c 'echo s3cr3t; echo s3cr3t >&2; exit 3'", "the program failed (exit status: 3)"),
        ("sh -c 'kill -9 $$'", "the program failed (signal: 9"),
        ("yes s3cr3t", "the program prints more than 64 KiB"),
    ] {
        let miss = external(command).issue().await.unwrap_err();
        assert!(miss.to_string().starts_with(problem), "{miss}");
        assert!(!shown(&miss).contains("s3cr3t"), "{miss:?}");
    }
}

/// A program that never ends and has the FIFO open for as long as it lives; and the FIFO, opened once it runs.
#[cfg(unix)]
async fn endless(
    directory: &std::path::Path,
) -> (tokio::task::JoinHandle<Result<Lease<AccessKey>, Miss>>, std::fs::File) {
    let fifo = directory.join("alive");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let program = external(&format!("sh -c 'exec 3>{}; exec sleep 86400'", fifo.display()));
    let running = tokio::spawn(async move { program.issue().await });
    let opened = tokio::task::spawn_blocking(move || std::fs::File::open(fifo)).await.unwrap().unwrap();
    (running, opened)
}

/// Returns when nobody has the FIFO open any more.
#[cfg(unix)]
async fn ended(mut fifo: std::fs::File) {
    let read = tokio::task::spawn_blocking(move || std::io::Read::read(&mut fifo, &mut [0])).await;
    assert_eq!(read.unwrap().unwrap(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_nobody_waits_for_any_more_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (running, fifo) = endless(directory.path()).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    ended(fifo).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_does_not_end_is_killed_after_a_minute() {
    let directory = tempfile::tempdir().unwrap();
    let (running, fifo) = endless(directory.path()).await;
    tokio::time::pause();
    tokio::time::advance(PATIENCE).await;
    let miss = running.await.unwrap().unwrap_err();
    assert_eq!(miss.to_string(), "the program did not end within 60 s (timed out)");
    ended(fifo).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_gets_the_variables_it_needs_and_no_others() {
    let env = FixedEnv::from_iter([
        ("PATH", "/usr/bin:/bin"),
        ("LANG", "C"),
        ("ALIBABACLOUD_PROFILE", "p"),
        ("ALICLOUD_REGION", "r"),
        ("HW_SECRET_KEY", "s3cr3t"),
        ("ANOTHER_KEY", "s3cr3t"),
        ("LD_PRELOAD", "s3cr3t"),
    ]);
    let context = SourceContext { env: Arc::new(env), ..SourceContext::default() };
    let command = r#"sh -c 'printf "{\"access_key_id\":\"%s\",\"access_key_secret\":\"x\"}" "$(env | sort | tr "\n" " ")"'"#;
    let lease = External::new(&context, command).unwrap().issue().await.unwrap();
    let given =
        lease.value.id().split(' ').filter(|variable| {
            !["PWD", "SHLVL", "_", "OLDPWD"].contains(&variable.split('=').next().unwrap())
        });
    let given: Vec<_> = given.collect();
    assert_eq!(given, ["ALIBABACLOUD_PROFILE=p", "ALICLOUD_REGION=r", "LANG=C", "PATH=/usr/bin:/bin"]);
}

#[test]
fn programs_are_switched_off_by_the_command_lines_words() {
    for (value, expected) in [("1", true), ("true", true), ("TRUE", true), ("0", false), ("yes", false)] {
        let env = Arc::new(FixedEnv::from_iter([(DISABLED, value)]));
        assert_eq!(is_disabled(&SourceContext { env, ..SourceContext::default() }), expected, "{value}");
    }
}
