//! The question before topo changes something.

use std::io::{self, BufRead, IsTerminal, Write};

/// What topo asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether to make the changes of a plan.
    Apply,
    /// Whether to remove everything that a plan lists.
    Destroy,
}

/// Why topo has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Standard input or standard error is not a terminal, so topo cannot ask anybody.
    #[error("There is no terminal for the question.")]
    NoTerminal,
    /// topo could not read the answer.
    #[error("topo could not read the answer: {0}")]
    Read(#[from] io::Error),
}

/// Asks at the terminal. Only the word `yes` means yes. Waits without a time limit, so call it where blocking is
/// allowed.
pub fn confirm(question: Question) -> Result<bool, PromptError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(PromptError::NoTerminal);
    }
    // Do not lock standard error during the wait: an interrupt writes to it.
    Ok(ask(question, &mut io::stdin().lock(), &mut io::stderr())?)
}

fn ask(question: Question, input: &mut dyn BufRead, output: &mut dyn Write) -> io::Result<bool> {
    let text = match question {
        Question::Apply => {
            "\nDo you want to perform these actions?\n  topo will perform the actions described above.\n  \
             Only 'yes' will be accepted to approve.\n\n  Enter a value: "
        }
        Question::Destroy => {
            "\nDo you really want to remove what is listed above?\n  There is no undo. Only 'yes' will be \
             accepted to confirm.\n\n  Enter a value: "
        }
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
            let found = ask(Question::Apply, &mut answer.as_bytes(), &mut output).expect("memory");
            assert_eq!(found, is_yes, "{answer:?}");
            assert!(String::from_utf8_lossy(&output).contains("Only 'yes' will be accepted"));
        }
    }

    #[test]
    fn an_answer_that_is_no_text_is_an_error_and_not_a_yes() {
        assert!(ask(Question::Destroy, &mut &b"yes\xff\n"[..], &mut Vec::new()).is_err());
    }
}
