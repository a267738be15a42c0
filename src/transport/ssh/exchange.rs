//! One exchange: topo sends a script, and receives its output.

use openssh::{Error, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::failure::Sentence;
use super::master::Master;
use super::settings::SshOptions;
use crate::transport::{TransportError, chain};

/// How much of standard error topo keeps, in bytes.
const STDERR_LIMIT: usize = 64 << 10;
/// The first output of the shell that reads the script, on standard error. From then on the script runs.
const STARTED: &str = "topo:script-started";
/// The text before and after a script, so that it runs as a whole or not at all. A shell runs what it has read so far: it would run
/// a part of a script that is cut on the way, with a last line such as `10.200.1.0/2` instead of `/24`. But it reads a group up to
/// its end before it runs anything in it. No command in the script can read the rest of it. topo needs messages in English. An error
/// of the shell may show the line with the first output, so that has quotes. Tried with dash, bash and BusyBox.
const BEFORE: &str = "{\nexec </dev/null\nLC_ALL=C\nexport LC_ALL\necho topo:'script-started' >&2\n";
const AFTER: &str = "\n}\n";
/// For any login shell, including csh and fish. The script finds `SSH_CONNECTION`, which sudo drops, in `$1`.
const PLAIN: &str = r#"sh -s -- "$SSH_CONNECTION""#;
/// topo needs the messages of sudo in English.
const SUDO: &str = r#"sh -c 'LC_ALL=C; export LC_ALL; exec sudo -n -- sh -s -- "$SSH_CONNECTION"'"#;

/// The settings of an exchange.
pub(super) struct Exchange<'a> {
    pub(super) options: &'a SshOptions,
    pub(super) about: &'a Sentence<'a>,
    pub(super) sudo: bool,
}

/// Why an exchange failed.
pub(super) enum ExchangeError {
    /// The master did not open a session: nothing was sent.
    NotOpened(String),
    /// The session broke off after the script was sent.
    Broken(String),
    /// Any other failure; the master still works.
    Failed(TransportError),
}

enum Cut {
    ReplyLimit,
    Io(std::io::Error),
}

impl Exchange<'_> {
    /// Runs the script through the master.
    pub(super) async fn run(&self, master: &Master, script: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let session = Session::resume_mux(master.control().into(), None);
        let mut command = session.raw_command(if self.sudo { SUDO } else { PLAIN });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // If the connection has died unnoticed, no answer comes here.
        let mut child = match timeout(self.options.connect_timeout, command.spawn()).await {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => return Err(ExchangeError::NotOpened(chain(&error))),
            Err(_) => return Err(ExchangeError::NotOpened("no answer in time".to_owned())),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(ExchangeError::NotOpened("no pipes".to_owned()));
        };
        let limit = self.options.reply_limit;
        let transfer = async {
            let ((), (stdout, _), (stderr, stderr_cut)) = tokio::try_join!(
                send(stdin, script),
                receive(stdout, limit, limit),
                receive(stderr, STDERR_LIMIT, limit.max(STDERR_LIMIT)),
            )?;
            Ok::<_, Cut>((stdout, stderr, stderr_cut, child.wait().await))
        };
        // Dropping these closes the session's channel, which ends a script that still writes.
        match timeout(self.options.node_timeout, transfer).await {
            Ok(Ok((stdout, stderr, stderr_cut, ended))) => {
                let status = match ended {
                    Ok(status) => status.code(),
                    Err(Error::Remote(_)) => Some(127),
                    Err(error) => return Err(ExchangeError::Broken(chain(&error))),
                };
                let stderr = String::from_utf8_lossy(&stderr);
                // If standard error was lost or cut on the way, the caller decides about the output.
                let is_unclear = stderr_cut || (stderr.is_empty() && !stdout.is_empty());
                if !stderr.contains(STARTED) && !is_unclear {
                    return Err(ExchangeError::Failed(self.about.no_shell(self.sudo, &stderr, status)));
                }
                tracing::debug!(stderr = %stderr.escape_debug(), status, "exchange ended");
                Ok(stdout)
            }
            Ok(Err(Cut::ReplyLimit)) => Err(ExchangeError::Failed(self.about.too_long(limit))),
            Ok(Err(Cut::Io(error))) => Err(ExchangeError::Broken(error.to_string())),
            Err(_) => Err(ExchangeError::Failed(Sentence::timed_out(self.options.node_timeout))),
        }
    }
}

/// Writes the script and closes the pipe. It is not an error if the other side stops reading.
async fn send(mut stdin: impl AsyncWrite + Unpin, script: &[u8]) -> Result<(), Cut> {
    let written = async {
        stdin.write_all(BEFORE.as_bytes()).await?;
        stdin.write_all(script).await?;
        stdin.write_all(AFTER.as_bytes()).await?;
        stdin.shutdown().await
    };
    match written.await {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Cut::Io(error)),
        _ => Ok(()),
    }
}

/// Reads to the end. Keeps `keep` bytes and says whether there were more. More than `limit` is an error.
async fn receive(mut from: impl AsyncRead + Unpin, keep: usize, limit: usize) -> Result<(Vec<u8>, bool), Cut> {
    let mut kept = Vec::with_capacity(4096);
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0_usize;
    loop {
        let read = from.read(&mut buffer).await.map_err(Cut::Io)?;
        if read == 0 {
            return Ok((kept, total > keep));
        }
        total = total.saturating_add(read);
        if total > limit {
            return Err(Cut::ReplyLimit);
        }
        let room = keep.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&buffer[..room]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{AFTER, BEFORE, STARTED};

    /// What a shell says that reads this text; none if it is not here.
    fn run(shell: &[&str], text: &str) -> Option<(String, String)> {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-s", "--", "argument"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Some((String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap()))
    }

    #[test]
    fn a_script_runs_as_a_whole_or_not_at_all() {
        let script = "echo \"$1\"\ncat <<'EOF'\n) ' \\\" ` $(\nEOF\n# don't\ncat\nprintf last";
        let whole = format!("{BEFORE}{script}{AFTER}");
        let expected = ("argument\n) ' \\\" ` $(\nlast".to_owned(), format!("{STARTED}\n"));
        for shell in [&["sh"][..], &["dash"], &["bash", "--posix"], &["busybox", "sh"]] {
            let Some(all) = run(shell, &whole) else { continue };
            assert_eq!(all, expected, "{shell:?}");
            // The script needs everything but the last newline.
            assert_eq!(run(shell, whole.trim_end()).unwrap(), expected, "{shell:?}");
            for length in 0..whole.trim_end().len() {
                let (stdout, stderr) = run(shell, &whole[..length]).unwrap();
                assert!(stdout.is_empty() && !stderr.contains(STARTED), "{shell:?} {length}: {stdout:?} {stderr:?}");
            }
        }
    }
}
