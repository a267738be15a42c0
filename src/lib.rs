//! topo keeps the routes between the nodes of a network as you declare them.
//!
//! # How data flows
//!
//! A command goes through the folders like this:
//!
//! 1. [`topology`] reads the TOML file. The backends read their own tables in it. The result is checked and has no errors.
//! 2. [`state`] reads what topo recorded: a document, and the journal of a run that was cut off, folded into it.
//! 3. [`backend::Registry::desire`] turns the topology into what is wanted in each [`resource::Place`].
//! 4. [`drive::observe`] asks each [`backend::Site`] (a kind of place, with its connection) for its questions, and carries them out
//!    in rounds. Answers become [`resource::Evidence`]: seen, absent, or unknown. Unknown never leads to a write.
//! 5. [`drive::plan`] lets each site compare wanted, recorded and live. [`plan::judge`] says who owns a row. The result is a
//!    [`plan::Plan`]: for each place its [`plan::ResourcePlan`]s, and [`plan::Finding`]s.
//! 6. [`plan::Summary`] makes [`plan::Change`]s of it: one change is what a reviewer reads as one thing, on many nodes. [`render`] turns
//!    changes and findings into text and JSON, and [`ui`] prints them and asks.
//! 7. [`drive::Run`] writes the state first, with everything in doubt that the run will touch. It then walks the graph of steps: phases
//!    with gates between them, one exchange with a place in a phase. Failure travels as data: a step leaves out rows that lead to a
//!    node that has failed. Outcomes go to the journal, and a last write of the state ends the run.
//!
//! Data goes down, never up: each folder imports only folders before it in this list. [`network`] (prefixes, rows, sets of
//! routes), [`resource`] (places, kinds, records), [`topology`], [`state`] and [`exchange`] (requests and replies as data),
//! [`plan`], [`report`] (what happened in a run), [`transport`] (SSH, HTTPS: the only code that talks to the world, beside the state's
//! stores), [`backend`], [`drive`], [`render`], [`ui`], [`cli`]. Only `backend`, `transport` and `exchange` know a backend or a cloud.
//!
//! # A new backend
//!
//! A backend on nodes implements [`backend::Backend`], in a folder of its own, and is one line of [`backend::REGISTRY`]. A new kind of
//! place (a cloud) brings a [`backend::SiteKind`] with its [`backend::Site`], the formats of its tables, and its connection.
//!
//! # Words
//!
//! | word | what it is |
//! |---|---|
//! | place | where resources are, and what topo writes to one step after the other: a node, or a resource of a cloud |
//! | resource | a thing that topo keeps in a place: the routes of a node, a file, a route table |
//! | row | one route of a resource |
//! | owner | the node that a next hop belongs to; also who made a live row: topo, somebody by hand, another program |
//! | receiver | the node that a route leads to, also if its next hop is a gateway before it |
//! | view | how the nodes of the same subnets see the rows: table, metric, protocol, what is on-link and what goes by a gateway. Rows and view together give the routes of a node without a list for each node |
//! | mark | the route protocol of the kernel that says that topo made a row (201, or that of the topology) |
//! | marker | the file `/etc/topo/NAME` on a node: topology and lineage of who writes there |
//! | token | what a place answered, as a digest. A later look sends it, and gets a short answer if nothing has changed; a write sends it as its guard |
//! | guard | what a place checks right before a write. If it does not hold, nothing is written |
//! | settled, in doubt | a record says what is there, or between which two shapes it is, until somebody looks |
//! | adopt, import | record what is live already as wanted, without a change of its value |
//! | take over | make a live thing of somebody else topo's, because the user asked for it by name |
//! | drift | a live thing is not as recorded: somebody else changed it |
//! | lost | a node that has failed in this run: nothing gets new routes to it |
//! | lineage, serial | which state this is, and how often it was written |

pub mod backend;
pub mod cli;
pub mod drive;
pub mod exchange;
pub mod exit;
pub mod network;
pub mod plan;
pub mod render;
pub mod report;
pub mod resource;
pub mod state;
pub mod topology;
pub mod transport;
pub mod ui;
