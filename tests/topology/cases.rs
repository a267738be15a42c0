//! Each folder below `cases` has a `topo.toml`, or several `*.toml` as one document, or a `machines.txt`, and in
//! `expected.txt` what topo says about it. `TOPO_BLESS=1` rewrites the expectations. Folders called `azure…` are for builds with
//! that feature.

use std::fs;
use std::path::Path;

use topo::backend::REGISTRY;
use topo::topology::{Source, machines, parse};
use topo::ui::diagnostics;

#[test]
fn every_case_is_reported_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topology/cases");
    let bless = std::env::var_os("TOPO_BLESS").is_some();
    let mut cases: Vec<_> = fs::read_dir(&folder).expect("cases").map(|entry| entry.expect("entry").path()).collect();
    let is_azure = |case: &Path| case.file_name().is_some_and(|name| name.to_string_lossy().starts_with("azure"));
    cases.retain(|case| cfg!(feature = "azure") || !is_azure(case));
    cases.sort();
    assert!(cases.len() >= 20, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let mut files: Vec<_> = fs::read_dir(&case).expect("case").map(|entry| entry.expect("entry").path()).collect();
        files.retain(|file| !file.ends_with("expected.txt"));
        files.sort();
        let sources: Vec<Source> = files
            .iter()
            .map(|file| Source {
                name: file.file_name().expect("name").to_string_lossy().into_owned(),
                text: fs::read_to_string(file).expect("text"),
            })
            .collect();
        let (usable, findings) = if sources[0].name == "machines.txt" {
            let (list, findings) = machines::parse(&sources[0]);
            (!list.is_empty(), findings)
        } else {
            let (topology, findings) = parse(&sources, REGISTRY.formats());
            (topology.is_some(), findings)
        };
        assert_eq!(usable, !findings.has_errors(), "{}", case.display());
        let (errors, warnings) = findings.counts();
        let report = diagnostics::render(&findings, &sources, false, diagnostics::PLAIN_WIDTH);
        let text = format!("{errors} errors, {warnings} warnings\n\n{report}");
        let expected = case.join("expected.txt");
        if bless {
            fs::write(&expected, text).expect("bless");
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}:\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nTOPO_BLESS=1 accepts what is there now", wrong.join("\n"));
}
