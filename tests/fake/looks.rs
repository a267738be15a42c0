//! How a world looks at Azure, where it has one.

use topo::backend::Desired;
use topo::backend::azure_udr::{Recorded, Seen, covers};
use topo::drive::observe_azure;
use topo::plan::Options;
use topo::state::State;

use super::world::World;

impl World {
    /// What is desired, with what tables of Azure cover, and what Azure answered; as the commands do it.
    pub(super) async fn look_in_azure(
        &self,
        desired: &Desired,
        state: &State,
        options: &Options,
    ) -> (Desired, Option<Seen>) {
        let mut desired = desired.clone();
        let Some(azure) = &self.azure else { return (desired, None) };
        let recorded = Recorded::of(state);
        let seen = observe_azure(&desired.azure, &recorded, options, azure, 4).await;
        desired.covered = covers(&desired.azure, &recorded, Some(&seen), options);
        (desired, Some(seen))
    }
}
