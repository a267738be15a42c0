//! The question before topo changes something.

use std::io::{self, BufRead, IsTerminal, Write};

/// Whether there is somebody to ask.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks at the terminal whether to make the changes of a plan, or to `destroy` everything that it lists. Only the word
/// `yes` means yes. Waits without a time limit, so call it where blocking is allowed.
pub fn confirm(destroy: bool) -> io::Result<bool> {
    // Do not lock standard error during the wait: an interrupt writes to it.
    ask(destroy, &mut io::stdin().lock(), &mut io::stderr())
}

fn ask(destroy: bool, input: &mut dyn BufRead, output: &mut dyn Write) -> io::Result<bool> {
    let text = if destroy {
        "\nDo you really want to remove what is listed above?\n  There is no undo. Only 'yes' will be accepted to \
         confirm.\n\n  Enter a value: "
    } else {
        "\nDo you want to perform these actions?\n  topo will perform the actions described above.\n  Only 'yes' \
         will be accepted to approve.\n\n  Enter a value: "
    };
    output.write_all(text.as_bytes())?;
    output.flush()?;
    let mut answer = String::new();
    let ended = input.read_line(&mut answer)? == 0;
    // At the end of input, the cursor is still behind the question.
    output.write_all(if ended { b"\n\n" } else { b"\n" })?;
    output.flush()?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_a_yes() {
        for (answer, is_yes) in [("yes\n", true), ("  yes\r\n", true), ("yes", true)]
            .into_iter()
            .chain(["y\n", "YES\n", "no\n", "\n", "", "yes please\n"].map(|answer| (answer, false)))
        {
            let mut output = Vec::new();
            let found = ask(false, &mut answer.as_bytes(), &mut output).expect("memory");
            assert_eq!(found, is_yes, "{answer:?}");
            assert!(String::from_utf8_lossy(&output).contains("Only 'yes' will be accepted"));
        }
    }

    #[test]
    fn an_answer_that_is_no_text_is_an_error_and_not_a_yes() {
        assert!(ask(true, &mut &b"yes\xff\n"[..], &mut Vec::new()).is_err());
    }
}
