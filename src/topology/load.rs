//! Reads the files of a topology: the only I/O of this module.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{LARGEST_FILE, Source};

/// Why topo could not read the text. Each is a full sentence that says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file or directory does not exist.
    #[error("There is no `{}`.", .0.display())]
    Missing(PathBuf),
    /// A directory without a `.toml` file.
    #[error("The directory `{}` has no .toml file.", .0.display())]
    EmptyDirectory(PathBuf),
    /// Larger than 4 MiB.
    #[error("`{}` is larger than 4 MiB, which is the limit. Split it: a topology can be a directory of .toml files.", .0.display())]
    TooLarge(PathBuf),
    /// Not UTF-8.
    #[error("`{}` is not UTF-8 text: line {line} has invalid bytes.", .file.display())]
    Encoding {
        /// The file.
        file: PathBuf,
        /// Line of the first invalid byte, from 1.
        line: usize,
    },
    /// The system reported an error.
    #[error("topo cannot read `{}`: {error}.", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// Reads a file, all `*.toml` files of a directory in the order of their names, or with `-` standard input.
pub fn load(path: &Path) -> Result<Vec<Source>, LoadError> {
    if path == Path::new("-") {
        return Ok(vec![read(path, io::stdin().lock())?]);
    }
    let failed = |error| failed(path, error);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if file.extension().is_some_and(|extension| extension == "toml") && !hidden && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(LoadError::EmptyDirectory(path.to_owned()));
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

fn failed(path: &Path, error: io::Error) -> LoadError {
    match error.kind() {
        io::ErrorKind::NotFound => LoadError::Missing(path.to_owned()),
        _ => LoadError::Io { file: path.to_owned(), error },
    }
}

fn read_file(path: &Path) -> Result<Source, LoadError> {
    read(path, File::open(path).map_err(|error| failed(path, error))?)
}

fn read(path: &Path, input: impl Read) -> Result<Source, LoadError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LARGEST_FILE + 1).unwrap_or(u64::MAX);
    input.take(limit).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    if bytes.len() > LARGEST_FILE {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        LoadError::Encoding { file: path.to_owned(), line }
    })?;
    Ok(Source { name: path.display().to_string(), text })
}
