//! Other tools that do the same work over SSH: pyinfra and ansible-core, from the Python Package Index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::accounting::Meter;
use super::pair::{Effort, Pair};

const PACKAGES: [&str; 2] = ["pyinfra==3.5", "ansible-core==2.17.7"];

/// Installs them below target/tools, unless they are there. None, with the reason printed, where that is not possible.
pub fn install() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/rivals");
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGES.join("\n")) {
        return Some(folder);
    }
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default().to_owned();
        if output.status.success() { Ok(()) } else { Err(last) }
    };
    let installed = run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).and_then(|()| {
        run(Command::new(folder.join("bin/pip")).args(["install", "-q", "--only-binary=:all:"]).args(PACKAGES))
    });
    match installed {
        Ok(()) => {
            fs::write(&mark, PACKAGES.join("\n")).ok()?;
            Some(folder)
        }
        Err(reason) => {
            println!("SKIPPED: pyinfra and ansible-core cannot be installed: {reason}");
            None
        }
    }
}

/// The same work: the routes of each node in one `ip -batch`.
pub struct Work<'a> {
    pub lab: &'a Path,
    /// Addresses of the nodes, and what `ip -batch` reads on each.
    pub nodes: Vec<(String, String)>,
}

impl Work<'_> {
    /// Prints topo beside each tool.
    pub fn print(&self, tools: &Path, meter: &Meter, effort: Effort, settle: impl Fn(), topo: impl Fn() -> Duration) {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path());
        let pyinfra = || {
            let mut command = Command::new(tools.join("bin/pyinfra"));
            command.args(["-y", "inventory.py", "deploy.py"]);
            run(command, folder.path());
        };
        let ansible = || {
            let mut command = Command::new(tools.join("bin/ansible-playbook"));
            command.args(["-u", "root", "play.yml"]).env("ANSIBLE_CONFIG", folder.path().join("ansible.cfg"));
            run(command, folder.path());
        };
        let names = PACKAGES.map(|package| package.replace("==", " "));
        let tools: [(&str, &dyn Fn()); 2] = [(&names[0], &pyinfra), (&names[1], &ansible)];
        for (name, tool) in tools {
            let topo = || {
                settle();
                topo()
            };
            let other = || {
                settle();
                meter.of(tool).cpu
            };
            Pair::run(effort, topo, other).print(&format!("  `topo apply -y`, against {name}"), None);
        }
    }

    fn write(&self, folder: &Path) {
        let lab = self.lab.display();
        let here = folder.display();
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
        for (address, commands) in &self.nodes {
            write(&format!("routes-{address}"), commands.clone());
        }
        let addresses: Vec<&str> = self.nodes.iter().map(|(address, _)| address.as_str()).collect();
        let list = addresses.join("\", \"");
        write(
            "inventory.py",
            format!(
                "nodes = ([\"{list}\"], {{'ssh_user': 'root', 'ssh_config_file': '{lab}/ssh_config', \
                 'ssh_known_hosts_file': '{lab}/known_hosts', 'ssh_key': '{lab}/key'}})\n"
            ),
        );
        write(
            "deploy.py",
            format!(
                "from pyinfra import host\nfrom pyinfra.operations import server\n\
                 routes = open('{here}/routes-' + host.name).read()\n\
                 server.shell(name='routes', commands=[\"ip -batch - <<'END'\\n\" + routes + 'END'])\n"
            ),
        );
        write("hosts", addresses.join("\n") + "\n");
        write(
            "play.yml",
            format!(
                "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: |\n        \
                 ip -batch - <<'END'\n        {{{{ lookup('file', '{here}/routes-' ~ inventory_hostname) }}}}\n        END\n"
            ),
        );
        write(
            "ansible.cfg",
            format!(
                "[defaults]\nforks = {}\ninventory = {here}/hosts\nlocal_tmp = {here}/tmp\n[ssh_connection]\n\
                 ssh_args = -F {lab}/ssh_config\npipelining = true\n",
                self.nodes.len()
            ),
        );
    }
}

fn run(mut command: Command, folder: &Path) {
    command.current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    let output = command.output().expect("the tool starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
