//! Who may be connected: places for connections, few of them for those that have not joined.

mod join_rate;
mod pool;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use self::join_rate::JoinRate;
use self::pool::{Bounds, PlaceId, Pool, Stage};
pub use self::pool::{GRACE, NoPlace, Source};
use crate::limits::Limits;

/// Handle of the places of one server. Cheap to clone.
#[derive(Clone)]
pub struct Admission(Arc<Mutex<State>>);

struct State {
    pool: Pool,
    join_rate: JoinRate,
    /// For each place, what tells its connection that it was taken away.
    displaced: BTreeMap<PlaceId, CancellationToken>,
}

/// The place of one connection, free again when dropped.
pub struct Place {
    admission: Admission,
    id: PlaceId,
    source: Source,
    displaced: CancellationToken,
}

impl Admission {
    /// As many places as the limits say.
    pub fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            total: limits.connections(),
            per_source: limits.max_connections_per_address,
            half_open: limits.max_half_open,
            half_open_per_source: limits.max_half_open_per_address,
        };
        let join_rate = JoinRate::new(limits.max_joins_per_minute);
        Self(Arc::new(Mutex::new(State { pool: Pool::new(bounds), join_rate, displaced: BTreeMap::new() })))
    }

    /// Gives a new connection a place. One that has not joined may lose its place by that.
    ///
    /// # Errors
    /// [`NoPlace`] when all places that could be taken away have joined, or are too young for it.
    pub fn admit(&self, source: Source, now: Instant) -> Result<Place, NoPlace> {
        let mut state = self.state();
        let (id, displaced_id) = state.pool.admit(source, now)?;
        if let Some(token) = displaced_id.and_then(|id| state.displaced.remove(&id)) {
            token.cancel();
        }
        let displaced = CancellationToken::new();
        state.displaced.insert(id, displaced.clone());
        drop(state);
        Ok(Place { admission: self.clone(), id, source, displaced })
    }

    /// Takes the place of a connection that has not joined, because the system has no descriptor for another one.
    ///
    /// # Errors
    /// [`NoPlace`] when all have joined, or are too young for it.
    pub fn make_room(&self, now: Instant) -> Result<(), NoPlace> {
        let mut state = self.state();
        let displaced = state.pool.make_room(now)?;
        if let Some(token) = state.displaced.remove(&displaced) {
            token.cancel();
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Notes that the client has said hello. From here on silent connections lose their places first.
    pub fn greeted(&self) {
        self.admission.state().pool.reached(self.id, Stage::Greeted);
    }

    /// Charges an attempt to join to the source of this connection. Returns when it may be made, if not at once.
    pub fn charge_join(&self, now: Instant) -> Option<Instant> {
        self.admission.state().join_rate.charge(self.source, now)
    }

    /// Notes that the client has joined. From here on its place is its own. Returns `false` if it was taken away before.
    pub fn joined(&self) -> bool {
        let mut state = self.admission.state();
        state.pool.reached(self.id, Stage::Joined);
        state.displaced.contains_key(&self.id)
    }

    /// Waits until the place was given to another connection.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.pool.leave(self.id);
        state.displaced.remove(&self.id);
    }
}
