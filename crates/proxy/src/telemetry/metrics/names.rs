//! Which name has which place in the blocks. Places are given once and stay.

use std::collections::HashMap;

/// How many names have series of their own. A service has at most 23 series, an operation 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Services.
    pub services: u16,
    /// Operations, of all services together; 0: none is counted by operation.
    pub operations: u16,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self { services: 1000, operations: 1000 }
    }
}

impl Ceilings {
    /// Places of services: those with names, and [`OTHER`] and [`NONE`].
    pub(super) fn service_places(self) -> usize {
        usize::from(self.services.min(PLACES_MAX)) + 2
    }

    /// Places of operations: those with names, and [`OTHER`].
    pub(super) fn operation_places(self) -> usize {
        usize::from(self.operations.min(PLACES_MAX)) + 1
    }
}

/// The place of all names beyond the ceiling.
pub(super) const OTHER: u16 = 0;
/// The place of calls that met no service.
pub(super) const NONE: u16 = 1;
/// Marks that nothing is counted by operation.
pub(super) const UNCOUNTED: u16 = u16::MAX;
/// Keeps places below [`UNCOUNTED`].
const PLACES_MAX: u16 = u16::MAX - 8;

/// Label of [`OTHER`]; no service can have this name.
pub(super) const OTHER_LABEL: &str = "_other";
/// Label of [`NONE`]; no service can have this name.
pub(super) const NONE_LABEL: &str = "-";

/// Where the calls of an operation are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesId {
    pub(super) service: u16,
    pub(super) operation: u16,
}

impl SeriesId {
    /// A number for it that few others have.
    pub(crate) const fn number(self) -> usize {
        self.service as usize * 31 + self.operation as usize
    }

    /// For calls that met no service.
    pub const NOWHERE: Self = Self { service: NONE, operation: UNCOUNTED };
}

/// Names by place, and places by name.
#[derive(Debug, Clone)]
pub(super) struct Names {
    ceilings: Ceilings,
    service_places: HashMap<Box<str>, u16>,
    pub(super) services: Vec<Box<str>>,
    operation_places: HashMap<(u16, Box<str>), u16>,
    /// Place of the service, and the operation's own name.
    pub(super) operations: Vec<(u16, Box<str>)>,
}

impl Names {
    pub(super) fn new(ceilings: Ceilings) -> Self {
        Self {
            ceilings,
            service_places: HashMap::new(),
            services: vec![OTHER_LABEL.into(), NONE_LABEL.into()],
            operation_places: HashMap::new(),
            operations: vec![(OTHER, OTHER_LABEL.into())],
        }
    }

    pub(super) fn series(&mut self, service: &str, operation: &str) -> SeriesId {
        let service = self.service(service);
        SeriesId { service, operation: self.operation(service, operation) }
    }

    fn service(&mut self, name: &str) -> u16 {
        if name.is_empty() {
            return NONE;
        }
        if let Some(place) = self.service_places.get(name) {
            return *place;
        }
        let Some(place) = next_place(self.services.len(), self.ceilings.service_places()) else {
            return OTHER;
        };
        self.services.push(name.into());
        self.service_places.insert(name.into(), place);
        place
    }

    fn operation(&mut self, service: u16, name: &str) -> u16 {
        if name.is_empty() || self.ceilings.operations == 0 {
            return UNCOUNTED;
        }
        if service == OTHER {
            return OTHER;
        }
        let key = (service, Box::from(name));
        if let Some(place) = self.operation_places.get(&key) {
            return *place;
        }
        let Some(place) = next_place(self.operations.len(), self.ceilings.operation_places())
        else {
            return OTHER;
        };
        self.operations.push(key.clone());
        self.operation_places.insert(key, place);
        place
    }
}

fn next_place(used: usize, places: usize) -> Option<u16> {
    if used < places { u16::try_from(used).ok() } else { None }
}
