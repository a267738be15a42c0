//! The server without a wire: the same documents, for tests that ask very often.

use serde_json::Value;

use super::path;
use super::reply::Reply;
use super::world::{Request, World};

/// A request that comes without a connection.
#[derive(Clone, Debug, Default)]
pub struct Direct<'a> {
    /// The method.
    pub method: &'a str,
    /// The path of the resource.
    pub path: &'a str,
    /// Only this version is written.
    pub if_match: Option<&'a str>,
    /// Nothing that is there is written.
    pub is_new: bool,
    /// The body.
    pub body: Option<&'a Value>,
    /// The operation that it begins fails with this code and this message.
    pub fail: Option<(&'a str, &'a str)>,
}

impl World {
    /// Answers a request. An operation that it begins goes on until [`World::end_all`].
    pub fn ask(&mut self, direct: &Direct<'_>) -> Reply {
        self.handle(&Request {
            method: direct.method.to_owned(),
            path: direct.path.to_owned(),
            parts: path::parts(direct.path),
            api_version: "2024-03-01".to_owned(),
            if_match: direct.if_match.map(str::to_owned),
            if_none_match: direct.is_new.then(|| "*".to_owned()),
            body: direct.body.cloned(),
            fail: direct.fail.map(|(code, message)| (code.to_owned(), message.to_owned())),
            ..Request::default()
        })
    }

    /// Ends all operations.
    pub fn end_all(&mut self) {
        self.settle();
    }

    /// The answer to which a reply leads by its header `Location`.
    pub fn follow(&mut self, reply: &Reply) -> Option<Reply> {
        let (_, link) = reply.headers.iter().find(|(name, _)| *name == "location")?;
        let link = link.split('?').next()?.to_owned();
        Some(self.ask(&Direct { method: "GET", path: &link, ..Direct::default() }))
    }
}
