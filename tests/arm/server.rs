//! The handle that tests hold.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::client::Client;
use super::command::Command;
use super::exchange::Exchange;
use super::path;
use super::seed;
use super::tls::Identity;
use super::wire::{SECRET, Shared, accept};
use super::world::{Request, World};

/// A running server. It ends when this is dropped.
pub struct ArmServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    plain: SocketAddr,
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

impl ArmServer {
    /// A server with the network of *Kubernetes the hard way* and this many workers.
    pub fn start(workers: u8) -> Self {
        let server = Self::empty();
        seed::network().into_iter().chain((0..workers).flat_map(seed::worker)).for_each(|it| server.command(it));
        server
    }

    /// A server with nothing in its subscription, not even a resource group.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::new(&[]);
        std::fs::write(folder.path().join("ca.pem"), &identity.authority_pem).expect("ca.pem");
        let shared = Arc::new(Shared { world: Mutex::new(World::new()), identity, stop: Notify::new() });
        let (send, receive) = std::sync::mpsc::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let secure = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
                let plain = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
                send.send((secure.local_addr().expect("a port"), plain.local_addr().expect("a port"))).expect("heard");
                let stopped = Arc::clone(&served);
                tokio::select! {
                    () = accept(secure, Arc::clone(&served), true) => {}
                    () = accept(plain, served, false) => {}
                    () = stopped.stop.notified() => {}
                }
            });
        });
        let (address, plain) = receive.recv().expect("the server starts");
        Self { shared, address, plain, folder, thread: Some(thread) }
    }

    /// Carries out a command; it must be possible.
    pub fn command(&self, command: Command) {
        if matches!(command, Command::Stop) {
            self.shared.stop.notify_one();
        }
        if let Err(reply) = self.shared.world().command(command) {
            panic!("the server refuses its own command: {reply:?}");
        }
    }

    /// Where Azure Resource Manager answers: `https://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The same as an address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where commands and tokens are had without TLS: `http://127.0.0.1:PORT`.
    pub fn plain_endpoint(&self) -> String {
        format!("http://{}", self.plain)
    }

    /// The certificate of the authority, PEM, in a file.
    pub fn authority_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What a client needs in its environment to get tokens as in an App Service (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`).
    pub fn identity_environment(&self) -> [(&'static str, String); 2] {
        [("IDENTITY_ENDPOINT", format!("{}/msi/token", self.plain_endpoint())), ("IDENTITY_HEADER", SECRET.to_owned())]
    }

    /// A token that this server takes.
    pub fn token(&self) -> String {
        self.shared.world().token("https://management.azure.com/").0
    }

    /// A client that trusts this server and has a token.
    pub fn client(&self) -> Client {
        Client::new(self.endpoint(), self.shared.identity.client(), self.token())
    }

    /// All exchanges so far, in the order in which they arrived.
    pub fn log(&self) -> Vec<Exchange> {
        self.shared.world().log.clone()
    }

    /// The writes among them.
    pub fn writes(&self) -> Vec<Exchange> {
        self.log().into_iter().filter(Exchange::is_write).collect()
    }

    /// How many requests of this method had a path that contains this.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.log().iter().filter(|it| it.method == method && it.concerns(part)).count()
    }

    /// A resource as it stands, past the log and the front door; none where it is not there.
    pub fn look(&self, path: &str) -> Option<Value> {
        let request = Request {
            method: "GET".into(),
            path: path.into(),
            parts: path::parts(path),
            api_version: "2024-03-01".into(),
            query: "$expand=instanceView".into(),
            behind: true,
            ..Request::default()
        };
        let reply = self.shared.world().handle(&request);
        (reply.status == 200).then_some(reply.body).flatten()
    }

    /// Waits until somebody says that it should stop.
    pub fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends well");
        }
    }

    /// Writes the log as JSON.
    pub fn write_log(&self, file: &Path) {
        let log = serde_json::to_vec_pretty(&self.log()).expect("JSON");
        std::fs::write(file, log).expect("the log is written");
    }
}

/// With `TOPO_ARM_LOGS=FOLDER` each server leaves its log there, for judges.
impl Drop for ArmServer {
    fn drop(&mut self) {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        if let Some(folder) = std::env::var_os("TOPO_ARM_LOGS").map(PathBuf::from) {
            let file = format!("{}-log.json", COUNT.fetch_add(1, Ordering::Relaxed));
            self.write_log(&folder.join(file));
        }
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
